import { Failure } from '../protocol/failures.ts'
import type { Field, Fields, Query } from './query-params.ts'

/**
 * The engine behind every `*.get`: what a query selects, in which order, and what of it is shown. It knows nothing of
 * what it is asked about beyond a description of the fields.
 */

/** Rows that a query may look at, and of those, hold at a time. */
const MAX_SCANNED = 2_000_000
const MAX_HELD = 100_000

/** Does a row satisfy filter and search? Both must; within each, all conditions must, or with searchByAny any. */
export function matcher<R>(fields: Fields<R>, query: Query): (row: R) => boolean {
  const filters = Object.entries(query.filter).map(([name, values]) =>
    filterOn(fieldOf(fields, name), values),
  )
  const searches = Object.entries(query.search).flatMap(([name, patterns]) =>
    patterns.map((pattern) => searchFor(fieldOf(fields, name), pattern, query)),
  )
  const filtered = combine(filters, query.searchByAny)
  const searched = combine(searches, query.searchByAny)
  return (row) => filtered(row) && searched(row)
}

type Condition<R> = (row: R) => boolean

function combine<R>(conditions: readonly Condition<R>[], any: boolean): Condition<R> {
  if (conditions.length === 0) return () => true
  return any
    ? (row) => conditions.some((holds) => holds(row))
    : (row) => conditions.every((holds) => holds(row))
}

/** Exact. A value that does not fit the field's kind is no error: it equals nothing. An empty list equals nothing either. */
function filterOn<R>({ kind, read }: Field<R>, values: readonly (string | number)[]): Condition<R> {
  const wanted = new Set(values.map((value) => (kind === 'text' ? String(value) : canonicalInteger(value))))
  return (row) => wanted.has(String(read(row)))
}

function canonicalInteger(value: string | number): string | undefined {
  const text = String(value)
  return /^-?\d+$/.test(text) ? String(BigInt(text)) : undefined
}

function searchFor<R>({ read }: Field<R>, pattern: string, query: Query): Condition<R> {
  const matches = query.searchWildcardsEnabled
    ? wildcard(fold(pattern))
    : substring(fold(pattern), query.startSearch)
  return (row) => matches(fold(String(read(row)))) !== query.excludeSearch
}

function fold(text: string): string {
  return text.toLowerCase()
}

function substring(pattern: string, fromStart: boolean): (value: string) => boolean {
  return fromStart ? (value) => value.startsWith(pattern) : (value) => value.includes(pattern)
}

/** `*` is any run of characters, and the whole value must match. Piece by piece, so that no pattern takes long. */
function wildcard(pattern: string): (value: string) => boolean {
  const [head = '', ...rest] = pattern.split('*')
  const tail = rest.pop()
  if (tail === undefined) return (value) => value === head
  return (value) => {
    if (value.length < head.length + tail.length || !value.startsWith(head) || !value.endsWith(tail))
      return false
    let at = head.length
    for (const piece of rest) {
      const found = value.indexOf(piece, at)
      if (found < 0) return false
      at = found + piece.length
    }
    return at <= value.length - tail.length
  }
}

/** Numbers sort as numbers, texts by their code points; what is equal stays as it came. */
export function comparator<R>(fields: Fields<R>, { sort }: Query): (a: R, b: R) => number {
  const keys = sort.map(({ field, descending }) => ({ ...fieldOf(fields, field), sign: descending ? -1 : 1 }))
  return (a, b) => {
    for (const { kind, read, sign } of keys) {
      const order = kind === 'text' ? compareText(read(a), read(b)) : Number(read(a)) - Number(read(b))
      if (order !== 0) return sign * order
    }
    return 0
  }
}

function compareText(a: unknown, b: unknown): number {
  const [left, right] = [String(a), String(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

/**
 * Goes through pages of rows and gives what the query selects, sorted and limited; or, for countOutput, how many.
 * Throws `invalid_params` for a query that is too large: it is never answered short.
 */
export async function select<R>(
  fields: Fields<R>,
  query: Query,
  pages: AsyncIterable<readonly R[]>,
): Promise<R[] | number> {
  const matches = matcher(fields, query)
  const compare = comparator(fields, query)
  const limit = query.limit ?? Number.POSITIVE_INFINITY
  const sorted = query.sort.length > 0
  let held: R[] = []
  let count = 0
  let scanned = 0
  for await (const page of pages) {
    scanned += page.length
    if (scanned > MAX_SCANNED) throw tooLarge(`looks at more than ${MAX_SCANNED} rows`)
    const found = page.filter(matches)
    count += found.length
    if (query.countOutput) continue
    held.push(...found)
    if (sorted && held.length > Math.max(limit, 1_000) * 2) held = held.sort(compare).slice(0, limit)
    if (!sorted && held.length >= limit) break
    if (held.length > MAX_HELD) throw tooLarge(`gives more than ${MAX_HELD} rows`)
  }
  if (query.countOutput) return count
  return (sorted ? held.sort(compare) : held).slice(0, limit)
}

function tooLarge(what: string): Failure {
  return new Failure('invalid_params', `The query ${what}: set a limit, or narrow it by ids, users or times.`)
}

/** The answer to a `*.get`: a count as string, a list, or with preservekeys an object by id (a list where it is empty). */
export function present<R>(
  fields: Fields<R>,
  query: Query,
  id: string,
  selected: readonly R[] | number,
): unknown {
  if (typeof selected === 'number') return String(selected)
  const shown = query.output ?? Object.keys(fields).filter((name) => fieldOf(fields, name).named !== true)
  const rows = selected.map((row) => {
    if (shown.length === 0) return []
    return Object.fromEntries(shown.map((name) => [name, fieldOf(fields, name).read(row)]))
  })
  if (!query.preservekeys || rows.length === 0) return rows
  return Object.fromEntries(selected.map((row, at) => [String(fieldOf(fields, id).read(row)), rows[at]]))
}

function fieldOf<R>(fields: Fields<R>, name: string): Field<R> {
  const field = fields[name]
  if (field === undefined) throw new Error(`no field ${name}`)
  return field
}

/** Whether a query needs a field to decide or to sort, not merely to show. */
export function dependsOn({ filter, search, sort }: Query, field: string): boolean {
  return field in filter || field in search || sort.some((key) => key.field === field)
}
