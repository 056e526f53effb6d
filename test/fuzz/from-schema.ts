import fc from 'fast-check'
import type { JsonSchema } from '../../src/protocol/schema.ts'

/** Values that a JSON Schema of ours allows: those that rpc.discover tells everybody are good. */

const MAX_ID = 9223372036854775807n
/** Few enough that calls meet what calls before them have made. */
const NAMES = fc.constantFrom('a', 'b', 'backup', 'AI', 'AI', 'Admin', '__proto__', 'constructor', 'ß😀')
const MOST_ELEMENTS = 3

const ID = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }).map(String) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: MAX_ID }).map(String) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat({ max: 30 }), fc.nat({ max: 40 }))
      .map(([zeros, id]) => `${'0'.repeat(zeros)}${id}`),
  },
)
const SCOPE = fc.constantFrom('*', 'token.*', 'token.get', 'Auth.WhoAmI', 'a-b.c_d.*', 'x/y')
const ADDRESS = fc.oneof(fc.constantFrom('unix', '127.0.0.1', '::1'), fc.ipV4(), fc.ipV6())
const RANGE = fc.oneof(
  ADDRESS,
  fc.tuple(fc.ipV4(), fc.nat({ max: 32 })).map(([address, bits]) => `${address}/${bits}`),
  fc.tuple(fc.ipV6(), fc.nat({ max: 128 })).map(([address, bits]) => `${address}/${bits}`),
)

const LOOSE = fc.oneof(
  fc.constantFrom('0', '1', '', 'HS256', 'RS256', 'ES512', 'SYS_Creator', 60, 1, null, true),
  NAMES,
  fc.jsonValue({ maxDepth: 2 }),
)

/** An agreement on JWTs: sometimes one that can be kept. */
const AGREEMENT = fc.record(
  {
    name: NAMES,
    secret: fc.constantFrom('short', 'a secret of more than thirty-two bytes, for tests', '************'),
    algorithm: fc.constantFrom('HS256', 'HS384', 'HS512', 'RS256', 'ES512', 'none'),
    expire: fc.constantFrom<unknown>(1, '60', 4_294_967_295, 0, '1e3', null),
    fieldmap: fc.constantFrom<unknown>({ username: 'sub' }, '{"username":"sub","name":"n"}', '{', {
      username: 'exp',
    }),
    enable: fc.constantFrom<unknown>('0', '1', true, 2),
    inituser: fc.constantFrom<unknown>('0', '1', 0),
    initroles: fc.constantFrom('SYS_Reader', 'SYS_Creator', 'Administrator', 'constructor'),
    self_service: fc.constantFrom('0', '1'),
    token_name: NAMES,
  },
  { requiredKeys: ['name'], noNullPrototype: true },
)

/** What the schema says in words alone. */
const IN_WORDS: readonly (readonly [RegExp, fc.Arbitrary<unknown>])[] = [
  [/^A method, `namespace\.\*`, or `\*`/, SCOPE],
  [/^An IP address, or "unix"/, ADDRESS],
  [/^Where it would come from/, ADDRESS],
  [
    /^name, secret, algorithm/,
    fc.oneof(AGREEMENT, table({ description: 'name, secret, algorithm, expire' })),
  ],
  [/^Addresses and CIDR ranges/, fc.array(RANGE, { minLength: 1, maxLength: MOST_ELEMENTS })],
]

export function fromSchema(json: JsonSchema): fc.Arbitrary<unknown> {
  const description = String(json.description ?? '')
  const [, known] = IN_WORDS.find(([words]) => words.test(description)) ?? []
  if (known !== undefined) return known
  if ('const' in json) return fc.constant(json.const)
  if (Array.isArray(json.enum)) return fc.constantFrom(...json.enum)
  if (Array.isArray(json.anyOf)) return fc.oneof(...json.anyOf.map(fromSchema))
  if (Array.isArray(json.type)) return fc.oneof(...json.type.map((type) => fromType(json, type)))
  return fromType(json, json.type as string | undefined)
}

function fromType(json: JsonSchema, type: string | undefined): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'integer':
      return integer(json)
    case 'string':
      // Where an integer will do as well, its digits are meant.
      return json.minimum === undefined ? text(json) : integer(json).map(String)
    case 'array':
      return list(json)
    case 'object':
      return json.properties === undefined ? table(json) : record(json)
    case undefined:
      return fc.jsonValue({ maxDepth: 2 })
    default:
      throw new Error(`no way to draw a value of the type ${type}`)
  }
}

function integer({ minimum, maximum }: JsonSchema): fc.Arbitrary<number> {
  const [min, max] = [Number(minimum), Number(maximum)]
  const small = fc.integer({ min, max: Math.min(max, Math.max(min, 5)) })
  // Seconds since 1970 mean something near today alone.
  const recent = fc.integer({ min: 1_700_000_000, max: 1_900_000_000 })
  const isTime = min <= 1_700_000_000 && max >= 1_900_000_000
  return fc.oneof(
    small,
    fc.maxSafeInteger().map((any) => clamped(any, min, max)),
    isTime ? recent : small,
  )
}

function clamped(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value))
}

function text({ pattern, minLength, maxLength }: JsonSchema): fc.Arbitrary<string> {
  if (pattern === '^[0-9]+$') return ID
  if (pattern !== undefined) throw new Error(`no way to draw a text like ${pattern}`)
  const [min, max] = [Number(minLength ?? 0), Number(maxLength ?? 100)]
  const any = fc.string({ unit: 'binary', minLength: min, maxLength: Math.min(max, 100) })
  const longest = fc.constantFrom('a', '😀').map((unit) => unit.repeat(Math.min(max, 10_000)))
  return fc.oneof(
    { weight: 6, arbitrary: NAMES },
    { weight: 3, arbitrary: any },
    { weight: 1, arbitrary: longest },
  )
}

function list({ items, minItems, maxItems, uniqueItems }: JsonSchema): fc.Arbitrary<unknown[]> {
  const lengths = {
    minLength: Number(minItems ?? 0),
    maxLength: Math.min(Number(maxItems ?? MOST_ELEMENTS), MOST_ELEMENTS),
  }
  const of = fromSchema((items ?? {}) as JsonSchema)
  if (uniqueItems !== true) return fc.array(of, lengths)
  // Ids are the same whatever zeros they begin with.
  return fc.uniqueArray(of, { ...lengths, selector: (value) => String(value).replace(/^0+(?=\d)/, '') })
}

function record({ properties, required = [] }: JsonSchema): fc.Arbitrary<object> {
  const members = Object.entries(properties as Readonly<Record<string, JsonSchema>>)
  const model = Object.fromEntries(members.map(([name, json]) => [name, fromSchema(json)]))
  return fc.record(model, { requiredKeys: required as string[], noNullPrototype: true })
}

/** An object of any members: those that its description names, and more. */
function table({ description = '' }: JsonSchema): fc.Arbitrary<object> {
  const named = String(description).match(/\b[a-z_]+(?=,|$)/g) ?? []
  const key = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('name', ...named) },
    { weight: 1, arbitrary: NAMES },
  )
  return fc.array(fc.tuple(key, LOOSE), { maxLength: 8 }).map((pairs) => Object.fromEntries(pairs))
}
