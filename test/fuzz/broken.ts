import fc from 'fast-check'

/** Values with one thing wrong somewhere in them. */

/** Stands for a number that JSON can say and JavaScript cannot hold. */
const ENDLESS = '\u0001endless'

/** As JSON, with what stands for 1e999 in its place. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(JSON.stringify(ENDLESS), '1e999')
}

const FOREIGN = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', 'x', 0, -1, [], {}),
  fc.constantFrom(
    ...[null, true, false, '', ' ', 'x', '-1', '1e5', '0x10', '1.0', 'NaN', 'Infinity', '１'],
    ...[0, -1, 0.5, 1e21, -(2 ** 31) - 1, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, ENDLESS],
    ...['\ud800', 'a\u0000b', '__proto__', 'constructor', '9223372036854775808', '9'.repeat(400)],
  ),
  fc.constantFrom<unknown>([], {}, [[]], [null], [{}], { 0: 'x' }, { length: 3 }, withPrototype()),
  fc.constantFrom('a', '"', '😀', '\u0000').map((unit) => unit.repeat(66_000)),
  fc.jsonValue({ maxDepth: 3 }),
)

/** With a member of that name, as JSON.parse makes it. */
function withPrototype(): object {
  return Object.fromEntries([['__proto__', { ttl: 1, isAdmin: true }]])
}

const UNKNOWN_NAMES = fc.constantFrom('__proto__', 'constructor', 'toString', 'x', 'TTL', 'name ', '', '0')

type Place = readonly string[]
type Change = (holder: object, key: string) => object

/** A valid value, with one place in it replaced, left out, added to or wrapped up. */
export function broken(valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const change: fc.Arbitrary<Change> = fc.oneof(
    {
      weight: 4,
      arbitrary: FOREIGN.map((value) => (holder: object, key: string) => withMember(holder, key, value)),
    },
    { weight: 1, arbitrary: fc.constant((holder: object, key: string) => withoutMember(holder, key)) },
    {
      weight: 2,
      arbitrary: fc.tuple(UNKNOWN_NAMES, FOREIGN).map(
        ([name, value]) =>
          (holder: object) =>
            withMember(holder, name, value),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constant((holder: object, key: string) =>
        withMember(holder, key, [memberOf(holder, key)]),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constant((holder: object, key: string) =>
        withMember(holder, key, { 1: memberOf(holder, key) }),
      ),
    },
  )
  return fc.tuple(valid, fc.nat(), change).map(([value, which, apply]) => {
    const places = placesIn(value)
    const place = places[which % Math.max(1, places.length)] ?? ['x']
    return changed(typeof value === 'object' && value !== null ? value : {}, place, apply)
  })
}

/** Every member at every depth. */
function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [
    [key],
    ...placesIn(inner).map((place) => [key, ...place]),
  ])
}

function changed(value: object, [key = '', ...below]: Place, apply: Change): object {
  if (below.length === 0) return apply(value, key)
  return withMember(value, key, changed(memberOf(value, key) as object, below, apply))
}

function memberOf(holder: object, key: string): unknown {
  return Object.entries(holder).find(([name]) => name === key)?.[1]
}

/** A list stays one where the name is one of its places. */
function withMember(holder: object, key: string, value: unknown): object {
  if (Array.isArray(holder) && /^\d+$/.test(key))
    return [...holder.slice(0, Number(key)), value, ...holder.slice(Number(key) + 1)]
  return Object.fromEntries([...Object.entries(holder).filter(([name]) => name !== key), [key, value]])
}

function withoutMember(holder: object, key: string): object {
  if (Array.isArray(holder)) return holder.filter((_, at) => String(at) !== key)
  return Object.fromEntries(Object.entries(holder).filter(([name]) => name !== key))
}
