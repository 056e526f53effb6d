import fc from 'fast-check'
import type { Setting } from '../../src/settings.ts'

/** Values that a configuration file may have, by what the daemon says of them when it refuses others. */

/** What is written, and what it means. */
export interface Drawn {
  readonly written: unknown
  readonly meant: unknown
}

function as<T>(
  arbitrary: fc.Arbitrary<T>,
  mean: (value: T) => unknown = (value) => value,
): fc.Arbitrary<Drawn> {
  return arbitrary.map((written) => ({ written, meant: mean(written) }))
}

function spelled(min: number, units: Readonly<Record<string, number>>): fc.Arbitrary<Drawn> {
  return fc
    .tuple(fc.integer({ min, max: 999_999_999 }), fc.constantFrom(...Object.keys(units)))
    .map(([count, unit]) => ({ written: `${count}${unit}`, meant: count * (units[unit] as number) }))
}

const TIME = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }
const PER = { s: 1, m: 60, h: 3_600 }

const PRINTABLE = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
const NAME = fc.oneof(fc.constantFrom('deploy', '__proto__', 'GET', 'ß😀', '/etc/x.pem'), PRINTABLE)
const SEGMENT = fc.stringMatching(/^[\w/-]{1,8}$/)
const METHOD = fc.array(SEGMENT, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('.'))
const SCOPE = fc.oneof(
  fc.constant('*'),
  METHOD,
  METHOD.map((method) => `${method}.*`),
)
const RANGE = fc.oneof(
  fc.constant('unix'),
  fc.ipV4(),
  fc.ipV6(),
  fc.tuple(fc.ipV4(), fc.nat({ max: 32 })).map(([address, bits]) => `${address}/${bits}`),
)
const PORT = fc.integer({ min: 1, max: 65_535 })
const PATH = fc.array(fc.stringMatching(/^[\w~!$&'()+,=:@-]{1,6}$/), { maxLength: 3 })

const rate = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 999_999_999 }), fc.constantFrom<keyof typeof PER>('s', 'm', 'h'))
    .map(([count, unit]) => ({ written: `${count}/${unit}`, meant: count / PER[unit] })),
  fc.constant({ written: 'none', meant: Number.POSITIVE_INFINITY }),
)

function whole(min: number, max: number): fc.Arbitrary<Drawn> {
  const number = fc.integer({ min, max })
  return fc.oneof(
    as(number),
    number.map((meant) => ({ written: String(meant), meant })),
  )
}

const TABLE: readonly (readonly [RegExp, fc.Arbitrary<Drawn>])[] = [
  [/^a whole number above 0/, whole(1, 1_000_000_000)],
  [/^a port/, whole(0, 65_535)],
  [/^a number of threads/, whole(1, 64)],
  [/^a number from 0 to 4294967294/, whole(0, 4_294_967_294)],
  [/^a duration above 0/, spelled(1, TIME)],
  [/^a duration/, spelled(0, TIME)],
  [/^a size above 0/, spelled(1, BYTES)],
  [/^a rate/, rate],
  [/^a path$/, as(PRINTABLE.filter((text) => !text.includes('\0')))],
  [
    /^true or false/,
    fc.oneof(
      as(fc.boolean()),
      as(fc.constantFrom('true', 'false'), (text) => text === 'true'),
    ),
  ],
  [/^an id/, as(fc.integer({ min: 1 }), String)],
  [/^a name/, as(NAME)],
  [/^a file mode/, as(fc.stringMatching(/^0?[0-7]{3}$/), (text) => Number.parseInt(text, 8))],
  [/^a list of "apiinfo.version"/, as(fc.subarray(['apiinfo.version', 'user.checkAuthentication']))],
  [/^a list of methods/, as(fc.array(SCOPE, { maxLength: 5 }))],
  [/^a list of addresses/, as(fc.array(RANGE, { maxLength: 5 }))],
  [
    /^a list: a program/,
    as(
      fc.array(
        PRINTABLE.filter((text) => !text.includes('\0')),
        { maxLength: 3 },
      ),
    ),
  ],
  [/^a path of plain segments/, as(PATH.map((segments) => ['', ...segments, '*'].join('/')))],
  [/^a scope/, as(SCOPE)],
  [/^an address with a port/, as(PORT.map((port) => `127.0.0.1:${port}`))],
  [/^where a service is/, as(PORT.map((port) => `http://127.0.0.1:${port}/jsonrpc`))],
  [/^what names of methods begin with/, as(SEGMENT.map((segment) => `${segment}.`))],
  [/^"discover", or a list/, as(fc.constant('discover'))],
  [
    /^a table: kind/,
    as(
      fc.record(
        { kind: fc.constantFrom('basic', 'param', 'jwt-hs256'), file: NAME },
        { noNullPrototype: true },
      ),
    ),
  ],
]

/** A value that a key takes. Throws for a kind of setting that nobody has said here how to draw. */
export function drawnFor({ expects }: Pick<Setting<unknown>, 'expects'>): fc.Arbitrary<Drawn> {
  const [, arbitrary] = TABLE.find(([words]) => words.test(expects)) ?? []
  if (arbitrary === undefined) throw new Error(`no way to draw ${expects}`)
  return arbitrary
}
