import type { IncomingHttpHeaders } from 'node:http'
import { isIP, isIPv6 } from 'node:net'
import type { AddressRanges } from '../auth/ranges.ts'
import { Failure } from '../protocol/failures.ts'

/**
 * Where a request comes from: the one resolver, used by audit and every limit. `peer` is who is connected. A trusted proxy
 * is believed about whoever is in front of it, and that one too if it is trusted: X-Forwarded-For (or Forwarded, RFC 7239)
 * is walked from the right, where our own proxies write, and the first hop that is not trusted is the client. What is
 * further left was sent by the client (pitfall 4). Throws `invalid_request` where both headers are there and disagree:
 * one of them came through from outside, and nobody can say which.
 */
export function clientAddress(peer: string, headers: IncomingHttpHeaders, proxies: AddressRanges): string {
  if (!proxies.includes(peer)) return peer
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

function walk(peer: string, hops: readonly string[], proxies: AddressRanges): string {
  let nearest = peer
  for (const hop of hops.toReversed()) {
    const address = hopAddress(hop)
    if (address === undefined) return nearest // garbage, "unknown", or a name: nothing beyond it can be believed
    nearest = address
    if (!proxies.includes(address)) return nearest
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
