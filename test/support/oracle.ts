import type { Rights } from '../../src/auth/limits.ts'

/** Tries out what src/auth/limits.ts reasons about: every method and every address of a small world. */

const SEGMENTS = ['a', 'A', 'b', 'ab', 'a-b', 'token', 'somethingElse']

/** Names of up to four segments: one more than any pattern has, so that a star shows. */
const METHODS: readonly string[] = (() => {
  let longest: string[][] = [[]]
  const all: string[] = []
  for (let depth = 1; depth <= 4; depth++) {
    longest = longest.flatMap((head) => SEGMENTS.map((tail) => [...head, tail]))
    all.push(...longest.map((parts) => parts.join('.')))
  }
  return all
})()

/** Whether a pattern includes a method, or a narrower pattern: segment by segment. */
export function reaches(pattern: string, name: string): boolean {
  if (pattern === '*' || pattern === name) return true
  const parts = pattern.split('.')
  if (parts.at(-1) !== '*') return false
  const head = parts.slice(0, -1)
  const own = name.split('.')
  return own.length > head.length && head.every((part, at) => part === own[at])
}

const reached = new Map<string, ReadonlySet<string>>()

function methodsOf(pattern: string): ReadonlySet<string> {
  const known = reached.get(pattern) ?? new Set(METHODS.filter((name) => reaches(pattern, name)))
  reached.set(pattern, known)
  return known
}

/** Of the addresses 10.0.0.0-7, fd00::-7 and some beyond: those that a range includes. */
export function addressesOf(range: string): ReadonlySet<string> {
  if (range === 'unix') return new Set(['unix'])
  const [address = '', bits] = range.split('/')
  if (address === '::') return new Set(['v6', ...lasts('fd00::', 0, 7)])
  const v4 = address.includes('.')
  if (v4 && Number(bits) <= 16) return new Set([`${address}/16`, ...(bits === '8' ? BELOW_TEN : [])])
  const head = v4 ? '10.0.0.' : 'fd00::'
  const last = Number(address.slice(head.length))
  const size = bits === undefined ? 1 : 2 ** ((v4 ? 32 : 128) - Number(bits))
  const start = Math.floor(last / size) * size
  return new Set(lasts(head, start, start + size - 1))
}

const BELOW_TEN = ['10.1.0.0/16', '10.0.0.0/16']

function lasts(head: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, at) => `${head}${from + at}`)
}

const isSubset = (inner: ReadonlySet<string>, outer: ReadonlySet<string>) =>
  [...inner].every((one) => outer.has(one))

const within = (child: number | null | undefined, parent: number | null | undefined) =>
  (parent ?? Number.POSITIVE_INFINITY) >= (child ?? Number.POSITIVE_INFINITY)

/** The same question as `excess`: each scope and each range of the child has to lie in one of the parent's. */
export function isWithin(parent: Rights, remaining: number | undefined, child: Rights): boolean {
  const [own = {}, wanted = {}] = [parent.limits, child.limits]
  return (
    child.scopes.every((one) => parent.scopes.some((wide) => isSubset(methodsOf(one), methodsOf(wide)))) &&
    within(child.expires, parent.expires) &&
    within(wanted.maxUses, remaining) &&
    within(wanted.idleTtl, own.idleTtl) &&
    within(wanted.rate?.perSecond, own.rate?.perSecond) &&
    within(wanted.rate?.burst, own.rate?.burst) &&
    (own.allowedIps === undefined ||
      (wanted.allowedIps ?? ['everything']).every((one) =>
        own.allowedIps?.some((wide) => one !== 'everything' && isSubset(addressesOf(one), addressesOf(wide))),
      ))
  )
}
