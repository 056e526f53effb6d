import fc from 'fast-check'

/** JSON as text, with what a value in memory cannot say: the same key twice, `__proto__`, 1e999, half a character, blanks. */

const INHERITED = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', 'length']
const MEMBERS = ['jsonrpc', 'method', 'params', 'id', 'Token', 'result', 'error']

const NUMBERS = fc.constantFrom(
  ...['0', '-0', '0.5', '1e999', '-1e999', '1e-999', '1.0', '1E+2', '0.1e-7'],
  ...['9007199254740991', '-9007199254740991', '9007199254740992', '-9007199254740993'],
  ...['18446744073709551616', '1'.repeat(400)],
)

/** Any UTF-16, halves of characters included; JSON.stringify() escapes those. */
const ODD_TEXT = fc.string({
  unit: fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code)),
  maxLength: 12,
})
const KEY = fc.oneof(fc.constantFrom(...INHERITED, ...MEMBERS), ODD_TEXT)
/** Where a string ends is what quotes and backslashes are for. */
const QUOTED = fc.string({ unit: fc.constantFrom('\\', '"', '[', '{', 'a'), maxLength: 5 })
const TEXT = fc.oneof(ODD_TEXT, KEY, QUOTED, fc.string({ unit: 'binary', maxLength: 40 }))

/** Beyond the limit of 64, and far beyond what a recursive reader has stack for. */
const DEEP = fc
  .tuple(fc.constantFrom('[', '{"a":'), fc.oneof(fc.integer({ min: 60, max: 68 }), fc.constant(20_000)))
  .map(([open, depth]) => `${open.repeat(depth)}1${(open === '[' ? ']' : '}').repeat(depth)}`)

const BLANK = fc.constantFrom('', '', '', ' ', '\t', ' \r ')

const { tree } = fc.letrec<{ tree: string; list: string; table: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false'),
    NUMBERS,
    fc.integer().map(String),
    TEXT.map((text) => JSON.stringify(text)),
    tie('list'),
    tie('table'),
  ),
  list: fc.array(tie('tree'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
  table: fc
    .array(fc.tuple(KEY, BLANK, tie('tree')), { maxLength: 4 })
    .map((pairs) => `{${pairs.map(([key, blank, value]) => `${JSON.stringify(key)}:${blank}${value}`)}}`),
}))

export const jsonText: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: tree },
  { weight: 2, arbitrary: fc.json({ stringUnit: 'binary' }) },
  { weight: 1, arbitrary: DEEP },
)

/** A member of a call: mostly as it should be, sometimes left out, sometimes something else. */
function member(good: fc.Arbitrary<string>): fc.Arbitrary<string | undefined> {
  return fc.oneof(
    { weight: 12, arbitrary: good },
    { weight: 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: jsonText },
  )
}

const METHOD = fc.oneof(
  fc.constantFrom('Auth.WhoAmI', 'token.get', 'rpc.discover', 'nope', '', ...INHERITED),
  ODD_TEXT,
)

const members = fc
  .record({
    jsonrpc: member(fc.constant('"2.0"')),
    method: member(METHOD.map((name) => JSON.stringify(name))),
    params: member(fc.oneof(fc.constant('{}'), fc.constant('[]'), tree)),
    id: member(
      fc.oneof(
        fc.integer().map(String),
        TEXT.map((text) => JSON.stringify(text)),
        NUMBERS,
      ),
    ),
  })
  .map((all) => Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined))

/** A call, or what is nearly one: its members in any order, some of them twice, some that nobody knows. */
export const callText: fc.Arbitrary<string> = fc
  .tuple(
    members.chain((own) => fc.shuffledSubarray(own, { minLength: own.length })),
    fc.array(fc.tuple(KEY, jsonText), { maxLength: 1 }),
    BLANK,
  )
  .map(([own, more, blank]) => {
    const pairs = [...own, ...more].map(([key, value]) => `${JSON.stringify(key)}${blank}:${value}`)
    return `${blank}{${pairs.join(`,${blank}`)}}${blank}`
  })

export const batchText: fc.Arbitrary<string> = fc
  .array(fc.oneof({ weight: 5, arbitrary: callText }, { weight: 1, arbitrary: jsonText }), { maxLength: 6 })
  .map((elements) => `[${elements.join(',')}]`)

/** A text with one place in it that was cut out, doubled, or overwritten. */
export function mutated(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const damage = fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '\u0000', '\ufeff', 'é', '1e9')
  return fc.tuple(text, fc.nat(), fc.nat({ max: 3 }), damage).map(([whole, place, length, by]) => {
    const at = place % (whole.length + 1)
    return (whole.slice(0, at) + by + whole.slice(at + length)).toWellFormed()
  })
}

/** Whatever may arrive as one message, as text that has a UTF-8 form. */
export const messageText: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 6, arbitrary: callText },
    { weight: 4, arbitrary: batchText },
    { weight: 2, arbitrary: mutated(fc.oneof(callText, batchText)) },
    { weight: 1, arbitrary: jsonText },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  )
  .map((text) => text.toWellFormed())
