import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { Failure } from '../protocol/failures.ts'

/** How a Unix socket's other end is called where an address is wanted. */
export const UNIX_ADDRESS = 'unix'

/** The proxies whose word about the client's address is taken: CIDR ranges, addresses, and `unix`. */
export class TrustedProxies {
  readonly #ranges = new BlockList()
  readonly #unix: boolean

  /** Throws RangeError for what is none of them. */
  constructor(ranges: readonly string[]) {
    this.#unix = ranges.includes(UNIX_ADDRESS)
    for (const range of ranges) if (range !== UNIX_ADDRESS) this.#add(range)
  }

  #add(range: string): void {
    const [address = '', prefix, more] = range.split('/')
    const bits = isIPv4(address) ? 32 : 128
    const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
    if (isIP(address) === 0 || length < 0 || length > bits || more !== undefined) {
      throw new RangeError(`not an address or a CIDR range: ${range}`)
    }
    this.#ranges.addSubnet(address, length, isIPv4(address) ? 'ipv4' : 'ipv6')
  }

  /** `address`: as plainAddress gives it, or `unix`. */
  trusts(address: string): boolean {
    if (address === UNIX_ADDRESS) return this.#unix
    return this.#ranges.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
}

/**
 * Where a request comes from: the one resolver, used by audit and every limit. `peer` is who is connected. A trusted proxy
 * is believed about whoever is in front of it, and that one too if it is trusted: X-Forwarded-For (or Forwarded, RFC 7239)
 * is walked from the right, where our own proxies write, and the first hop that is not trusted is the client. What is
 * further left was sent by the client (pitfall 4). Throws `invalid_request` where both headers are there and disagree:
 * one of them came through from outside, and nobody can say which.
 */
export function clientAddress(peer: string, headers: IncomingHttpHeaders, proxies: TrustedProxies): string {
  if (!proxies.trusts(peer)) return peer
  const { forwarded } = headers
  const list = headers['x-forwarded-for']
  const told = [
    ...(list === undefined ? [] : [walk(peer, splitList(String(list)), proxies)]),
    ...(forwarded === undefined || !/\bfor=/i.test(forwarded)
      ? []
      : [walk(peer, forwardedFor(forwarded), proxies)]),
  ]
  const [address = peer, other = address] = told
  if (address === other) return address
  throw new Failure(
    'invalid_request',
    'X-Forwarded-For and Forwarded disagree: let the proxy set one of them.',
  )
}

function walk(peer: string, hops: readonly string[], proxies: TrustedProxies): string {
  let nearest = peer
  for (const hop of hops.toReversed()) {
    const address = hopAddress(hop)
    if (address === undefined) return nearest // garbage, "unknown", or a name: nothing beyond it can be believed
    nearest = address
    if (!proxies.trusts(address)) return nearest
  }
  return nearest
}

function splitList(text: string): string[] {
  return text.split(',').map((hop) => hop.trim())
}

/** The `for` of each element; one without it is a hop that is not known. Quoted strings hold no commas that matter here. */
function forwardedFor(header: string): string[] {
  return splitList(header).map((element) => {
    const pair = element
      .split(';')
      .map((part) => part.trim())
      .find((part) => /^for=/i.test(part))
    return pair === undefined ? '' : pair.slice('for='.length).replace(/^"(.*)"$/, '$1')
  })
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711` → the address; undefined for anything else. */
function hopAddress(hop: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(hop) ?? []
  const text = bracketed ?? dotted ?? hop
  return isIP(text) === 0 || text.includes('%') ? undefined : plainAddress(text)
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** One form for each address: IPv4-mapped ones as IPv4, IPv6 in the shortest form in lower case (RFC 5952). */
export function plainAddress(address: string): string {
  const [, v4] = MAPPED.exec(address) ?? []
  if (v4 !== undefined) return v4
  if (!isIPv6(address)) return address
  const short = new URL(`http://[${address.replace(/%.*/, '')}]/`).hostname.slice(1, -1)
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short) ?? []
  if (high === undefined || low === undefined) return short
  const bytes = Buffer.alloc(4)
  bytes.writeUInt16BE(Number.parseInt(high, 16))
  bytes.writeUInt16BE(Number.parseInt(low, 16), 2)
  return bytes.join('.')
}
