import fc from 'fast-check'
import { stringify } from 'smol-toml'
import {
  NOTIFY_KEYS,
  OPERATOR_KEYS,
  REMOTE_KEYS,
  ROUTE_KEYS,
  SCHEMA,
  UPSTREAM_KEYS,
} from '../../src/config-schema.ts'
import type { Setting } from '../../src/settings.ts'
import { type Drawn, drawnFor } from './settings.ts'

/** Whole configuration files, valid ones and others. */

type Keys = Readonly<Record<string, Setting<unknown>>>
export type Row = Readonly<Record<string, Drawn>>
/** By section, or by table, of which there are several. */
export type File = Readonly<Record<string, Row | readonly Row[]>>

/** Some of a table's keys, and all of those that are required. */
function row(
  keys: Keys,
  required: readonly string[] = [],
  without: readonly string[] = [],
): fc.Arbitrary<Row> {
  const model = Object.fromEntries(
    Object.entries(keys)
      .filter(([key]) => !without.includes(key))
      .map(([key, setting]) => [key, drawnFor(setting)]),
  )
  return fc.record(model, { requiredKeys: [...required], noNullPrototype: true })
}

/** Whom it is about is said once. */
const operator = fc.constantFrom('user', 'uid', 'group', 'gid').chain((about) =>
  row(
    OPERATOR_KEYS,
    [about],
    ['user', 'uid', 'group', 'gid'].filter((other) => other !== about),
  ),
)
/** A certificate comes with its key. */
const remote = fc.boolean().chain((tls) => {
  const pair = ['cert', 'key']
  return tls ? row(REMOTE_KEYS, ['listen', ...pair]) : row(REMOTE_KEYS, ['listen'], pair)
})

function distinct(rows: fc.Arbitrary<Row>, key: string): fc.Arbitrary<Row[]> {
  return fc.uniqueArray(rows, { maxLength: 3, selector: (one) => one[key]?.meant })
}

/** Neither name nor namespace is another's, nor the beginning of one. */
const upstreams = fc
  .array(row(UPSTREAM_KEYS, ['name', 'namespace', 'url']), { maxLength: 3 })
  .map((rows) => rows.map((one, at) => ({ ...one, name: said(`service ${at}`), namespace: said(`s${at}.`) })))

function said(written: string): Drawn {
  return { written, meant: written }
}

const sections = Object.fromEntries(
  Object.entries(SCHEMA).map(([section, keys]) => [section, row(keys as Keys)]),
)

export const validFile: fc.Arbitrary<File> = fc.record(
  {
    ...sections,
    operators: fc.array(operator, { maxLength: 3 }),
    remote: distinct(remote, 'listen'),
    notify: distinct(row(NOTIFY_KEYS, ['before']), 'before'),
    route: fc.array(row(ROUTE_KEYS, ['path', 'scope']), { maxLength: 3 }),
    upstream: upstreams,
  },
  { requiredKeys: [], noNullPrototype: true },
)

/** What stands in the file. `sets`: written at places of their own, whatever was there. */
export function toToml(
  file: File,
  sets: readonly { readonly place: Place; readonly toml: string }[] = [],
): string {
  const written = (one: Row) =>
    Object.fromEntries(Object.entries(one).map(([key, { written }]) => [key, written]))
  const content: Record<string, Record<string, unknown> | Record<string, unknown>[]> = {}
  for (const [name, rows] of Object.entries(file))
    content[name] = Array.isArray(rows) ? rows.map(written) : written(rows as Row)
  for (const [at, { place }] of sets.entries()) {
    const section = content[place.section] ?? {}
    const holder = Array.isArray(section) ? (section[0] ?? {}) : section
    holder[place.key] = `@${at}@`
    content[place.section] = Array.isArray(section) ? [holder, ...section.slice(1)] : holder
  }
  return stringify(content).replace(/"@(\d+)@"/g, (_, at) => sets[Number(at)]?.toml ?? '')
}

export interface Place {
  readonly section: string
  readonly key: string
}

const TABLES: Readonly<Record<string, object>> = {
  operators: OPERATOR_KEYS,
  remote: REMOTE_KEYS,
  notify: NOTIFY_KEYS,
  route: ROUTE_KEYS,
  upstream: UPSTREAM_KEYS,
}

export const KNOWN_PLACES: readonly Place[] = Object.entries({ ...SCHEMA, ...TABLES }).flatMap(
  ([section, keys]) => Object.keys(keys).map((key) => ({ section, key })),
)

/** TOML that hardly any key takes. */
export const FOREIGN_TOML = fc.oneof(
  fc.constantFrom(
    ...['nan', 'inf', '-inf', '-0', '-1', '0.5', '1e300', '9007199254740993', '9223372036854775808', '0x1F'],
    ...[
      '""',
      '"x"',
      '"-1s"',
      '"1e9s"',
      '"10 s"',
      '"9999999999d"',
      '"0"',
      '"a\\u0000b"',
      '"１s"',
      "'''\n\n'''",
    ],
    ...[
      '[]',
      '[[]]',
      '[1, "a"]',
      '{}',
      '{ a = { b = 1 } }',
      '{ __proto__ = 1 }',
      'true',
      '[{}]',
      '["*", ""]',
    ],
    ...['1979-05-27', '07:32:00', '1979-05-27T07:32:00Z', '[1979-05-27]', '0001-01-01T00:00:00', 'x', '='],
  ),
  fc.string({ unit: 'binary', maxLength: 30 }).map((text) => JSON.stringify(text)),
  fc.constantFrom('"', '[').map((unit) => unit.repeat(5_000)),
)
