import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** How a Unix socket's other end is called where an address is wanted. */
export const UNIX_ADDRESS = 'unix'

/** Addresses that share their first bits, as numbers. */
interface Range {
  readonly bits: 32 | 128
  readonly start: bigint
  readonly prefix: number
}

/** Some of all addresses: single ones, CIDR ranges (RFC 4632), and `unix` for whoever comes over a Unix socket. */
export class AddressRanges {
  readonly #list = new BlockList()
  readonly #ranges: readonly Range[]
  readonly #unix: boolean

  /** Throws RangeError for what is none of them. */
  constructor(texts: readonly string[]) {
    this.#unix = texts.includes(UNIX_ADDRESS)
    this.#ranges = texts.filter((text) => text !== UNIX_ADDRESS).map((text) => this.#add(text))
  }

  #add(text: string): Range {
    const [address = '', prefix, more] = text.split('/')
    const bits = isIPv4(address) ? 32 : 128
    const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
    const isAddress = isIPv4(address) || (isIPv6(address) && !address.includes('%'))
    if (!isAddress || length < 0 || length > bits || more !== undefined)
      throw new RangeError(`not an address or a CIDR range: ${text}`)
    this.#list.addSubnet(address, length, bits === 32 ? 'ipv4' : 'ipv6')
    return { bits, start: numberOf(address), prefix: length }
  }

  /** `address`: as plainAddress gives it, or `unix`. */
  includes(address: string): boolean {
    if (address === UNIX_ADDRESS) return this.#unix
    return this.#list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }

  /** Whether every range of `inner` lies within one of these. */
  contains(inner: AddressRanges): boolean {
    if (inner.#unix && !this.#unix) return false
    return inner.#ranges.every((range) => this.#ranges.some((wider) => holds(wider, range)))
  }
}

function holds(wider: Range, inner: Range): boolean {
  if (wider.bits !== inner.bits || wider.prefix > inner.prefix) return false
  const free = BigInt(wider.bits - wider.prefix)
  return wider.start >> free === inner.start >> free
}

function numberOf(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  // The URL parser knows every way to write one, and gives groups of hexadecimal digits.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')
  const groups = (part: string | undefined) => (part ? part.split(':') : [])
  const [front, back] = [groups(head), groups(tail)]
  const zeros = tail === undefined ? [] : Array(8 - front.length - back.length).fill('0')
  return [...front, ...zeros, ...back].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
}
