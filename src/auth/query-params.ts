import { flag, list, looseInteger, nullable, position, unique, word } from '../protocol/loose.ts'
import { boolean, invalidParameter, type Optional, optional, type Schema } from '../protocol/schema.ts'

/** What may be asked about: one field of the rows that a `*.get` answers with. */
export interface Field<R> {
  /** How values compare: ids and integers as numbers, texts as they are. */
  readonly kind: 'id' | 'integer' | 'text'
  /** The field's value as it is given out: always a string, but for fields of ours. */
  readonly read: (row: R) => unknown
  readonly filter?: true
  readonly search?: true
  readonly sort?: true
  /** Given out only when `output` names it. */
  readonly named?: true
}

export type Fields<R> = Readonly<Record<string, Field<R>>>

/** A `*.get` as it was asked, with defaults filled in. */
export interface Query {
  /** By field: any of these values. Null is no condition and is left out. */
  readonly filter: Readonly<Record<string, readonly (string | number)[]>>
  /** By field: patterns. Empty ones are no condition and are left out. */
  readonly search: Readonly<Record<string, readonly string[]>>
  readonly searchByAny: boolean
  readonly startSearch: boolean
  readonly excludeSearch: boolean
  readonly searchWildcardsEnabled: boolean
  /** Undefined: all that are not shown by name only. */
  readonly output: readonly string[] | undefined
  readonly countOutput: boolean
  readonly sort: readonly { readonly field: string; readonly descending: boolean }[]
  readonly limit: number | undefined
  readonly preservekeys: boolean
}

type Values = (string | number)[]

/** The parameters that every `*.get` shares, in the order in which they are checked. */
export interface QueryParams {
  filter?: Record<string, Values | null> | null
  search?: Record<string, Values | null> | null
  searchByAny?: boolean
  startSearch?: boolean
  excludeSearch?: boolean
  searchWildcardsEnabled?: boolean
  output?: string[] | undefined
  countOutput?: boolean
  sortfield?: string[]
  sortorder?: string | string[]
  limit?: number | null
  preservekeys?: boolean
}

type QueryFields = { [K in keyof Required<QueryParams>]: Optional<Required<QueryParams>[K]> }

export function queryFields<R>(fields: Fields<R>): QueryFields {
  const names = (trait: 'filter' | 'search' | 'sort') =>
    Object.keys(fields).filter((name) => fields[name]?.[trait])
  return {
    filter: optional(nullable(conditions(names('filter')))),
    search: optional(nullable(conditions(names('search')))),
    searchByAny: optional(boolean()),
    startSearch: optional(flag()),
    excludeSearch: optional(flag()),
    searchWildcardsEnabled: optional(boolean()),
    output: optional(output(fields)),
    countOutput: optional(flag()),
    sortfield: optional(unique(list(word(names('sort')), { single: true }))),
    sortorder: optional(sortorder()),
    limit: optional(nullable(looseInteger({ min: 1, max: 2_147_483_647 }))),
    preservekeys: optional(boolean()),
  }
}

/** Values by field; a scalar is a list of one. */
function conditions(names: readonly string[]): Schema<Record<string, Values | null>> {
  const values = nullable(list(scalar(), { single: true }))
  return {
    json: {
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, values.json])),
      additionalProperties: false,
    },
    read(value, path) {
      if (typeof value !== 'object' || value === null) throw invalidParameter(path, 'an array is expected')
      for (const name of Object.keys(value)) {
        if (!names.includes(name)) throw invalidParameter(path, `unexpected parameter "${name}"`)
      }
      const read: Record<string, Values | null> = {}
      for (const name of names) {
        if (!Object.hasOwn(value, name)) continue
        const given = (value as Record<string, unknown>)[name]
        read[name] = values.read(typeof given === 'boolean' ? [given] : given, `${path}/${name}`)
      }
      return read
    },
  }
}

function scalar(): Schema<string | number> {
  return {
    json: { type: ['string', 'number'] },
    read(value, path) {
      if (typeof value === 'string' || typeof value === 'number') return value
      throw invalidParameter(path, 'a character string, integer or floating point value is expected')
    },
  }
}

function output<R>(fields: Fields<R>): Schema<string[] | undefined> {
  const every = Object.keys(fields)
  const usual = every.filter((name) => fields[name]?.named !== true)
  // Fields of ours may be named; the refusal of a wrong name tells those that Zabbix has.
  const names = unique(
    list({
      ...word(usual),
      read: (value, path) =>
        every.includes(value as string) ? String(value) : word(usual).read(value, path),
    }),
  )
  return {
    json: { anyOf: [{ const: 'extend' }, { type: 'array', items: { enum: every }, uniqueItems: true }] },
    read(value, path) {
      if (value === 'extend') return undefined
      if (typeof value === 'string') throw invalidParameter(path, 'value must be "extend"')
      if (typeof value !== 'object' || value === null)
        throw invalidParameter(path, 'an array or a character string is expected')
      const [first] = every
      const named = names.read(value, path)
      // The id comes first, the others as they were asked for.
      return named.toSorted((a, b) => Number(b === first) - Number(a === first))
    },
  }
}

function sortorder(): Schema<string | string[]> {
  const order = word(['ASC', 'DESC'])
  return {
    json: { anyOf: [order.json, { type: 'array', items: order.json }] },
    read(value, path) {
      if (typeof value === 'string') return order.read(value, path)
      if (typeof value !== 'object' || value === null)
        throw invalidParameter(path, 'an array or a character string is expected')
      return Object.values(value).map((one, at) => order.read(one, position(path, at)))
    },
  }
}

/** Parameters → query. */
export function toQuery(params: QueryParams): Query {
  const { sortfield = [], sortorder: order = 'ASC' } = params
  return {
    filter: given(params.filter, (values) => values),
    search: given(params.search, (values) => {
      const patterns = values.map(String).filter((pattern) => pattern !== '')
      return patterns.length === 0 ? undefined : patterns
    }),
    searchByAny: params.searchByAny ?? false,
    startSearch: params.startSearch ?? false,
    excludeSearch: params.excludeSearch ?? false,
    searchWildcardsEnabled: params.searchWildcardsEnabled ?? false,
    output: params.output,
    countOutput: params.countOutput ?? false,
    sort: sortfield.map((field, at) => ({
      field,
      descending: (Array.isArray(order) ? order[at] : order) === 'DESC',
    })),
    limit: params.limit ?? undefined,
    preservekeys: params.preservekeys ?? false,
  }
}

function given<T>(
  conditions: Record<string, Values | null> | null | undefined,
  read: (values: Values) => T[] | undefined,
): Record<string, T[]> {
  const result: Record<string, T[]> = {}
  for (const [name, values] of Object.entries(conditions ?? {})) {
    const kept = values === null ? undefined : read(values)
    if (kept !== undefined) result[name] = kept
  }
  return result
}
