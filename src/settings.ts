import { availableParallelism } from 'node:os'
import { Complaint } from './protocol/complaint.ts'
import { parseDuration, parseRate, parseSize } from './units.ts'

/** One key of the configuration: how its text or TOML value is read, and what holds where nobody says anything. */
export interface Setting<T> {
  readonly fallback: T
  /** What a value looks like, for complaints: `a duration ("10s")`. */
  readonly expects: string
  /** Whether SIGHUP changes it in a running daemon. */
  readonly reloads: boolean
  /** Whether a wrong value may hold a secret that belongs elsewhere, so that complaints must not repeat it. */
  readonly isPrivate: boolean
  /** Undefined: not a value of this kind. Flags and the environment give text, the file gives TOML's types. */
  readonly parse: (value: unknown) => T | undefined
}

type Kind<T> = (fallback: T, more?: { reloads?: boolean }) => Setting<T>

export function kind<T>(
  expects: string,
  parse: (value: unknown) => T | undefined,
  { isPrivate = false } = {},
): Kind<T> {
  return (fallback, { reloads = false } = {}) => ({ fallback, expects, reloads, isPrivate, parse })
}

const whole = (value: unknown, min: number, max: number) => {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max
    ? number
    : undefined
}

const positive = (value: number | undefined) => (value !== undefined && value > 0 ? value : undefined)

export const count = kind<number>('a whole number above 0', (value) => whole(value, 1, 1_000_000_000))
export const port = kind<number>('a port (0 to 65535)', (value) => whole(value, 0, 65_535))
/** More share too little to be worth the memory of one more. */
const MOST_WORKERS = 64

export const workers = kind<number>(`a number of threads (1 to ${MOST_WORKERS}), or "auto"`, (value) =>
  value === 'auto' ? Math.min(availableParallelism(), MOST_WORKERS) : whole(value, 1, MOST_WORKERS),
)
export const duration = kind<number>('a duration ("500ms", "10s", "2h", "7d")', (value) =>
  typeof value === 'string' ? parseDuration(value) : undefined,
)
/** A time limit: none of them can be switched off. */
export const timeLimit = kind<number>('a duration above 0 ("500ms", "10s", "2h")', (value) =>
  typeof value === 'string' ? positive(parseDuration(value)) : undefined,
)
export const size = kind<number>('a size above 0 ("16KiB", "1MiB")', (value) =>
  typeof value === 'string' ? positive(parseSize(value)) : undefined,
)
/** A second; `none` for no limit. */
export const rate = kind<number | undefined>('a rate ("100/s", "600/m"), or "none"', (value) =>
  typeof value !== 'string' ? undefined : value === 'none' ? Number.POSITIVE_INFINITY : parseRate(value),
)
export const path = kind<string>('a path', (value) =>
  typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined,
)
export const flag = kind<boolean>('true or false', (value) =>
  value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined,
)
export const optionalNumber = kind<number | undefined>('a number from 0 to 4294967294', (value) =>
  whole(value, 0, 4_294_967_294),
)
export const optionalTimeLimit = kind<number | undefined>('a duration above 0 ("1h", "30d")', (value) =>
  typeof value === 'string' ? positive(parseDuration(value)) : undefined,
)
/** An id is a string, and a number in the file will do. */
export const optionalId = kind<string | undefined>('an id ("1")', (value) =>
  ['string', 'number'].includes(typeof value) && /^[1-9]\d{0,17}$/.test(String(value))
    ? String(value)
    : undefined,
)
export const optionalName = kind<string | undefined>('a name', (value) =>
  typeof value === 'string' && value !== '' ? value : undefined,
)
export const fileMode = kind<number>('a file mode ("0660")', (value) =>
  typeof value === 'string' && /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : undefined,
)

/** Some of a few names, none of them by default: a list in the file, words with commas elsewhere. */
export function names(known: readonly string[], { reloads = false } = {}): Setting<readonly string[]> {
  return {
    fallback: [],
    expects: `a list of ${known.map((name) => `"${name}"`).join(' and ')}`,
    reloads,
    isPrivate: false,
    parse(value) {
      const list = typeof value === 'string' ? value.split(',').filter((name) => name !== '') : value
      return Array.isArray(list) && list.every((name) => known.includes(name)) ? list : undefined
    },
  }
}

/** Sections of settings by name. */
export type Schema = Readonly<Record<string, Readonly<Record<string, Setting<unknown>>>>>

export type RowOf<Keys> = {
  readonly [Key in keyof Keys]: Keys[Key] extends Setting<infer T> ? T : never
}

export type ValuesOf<S extends Schema> = { readonly [Section in keyof S]: RowOf<S[Section]> }

/** The nearest of the known names, for "did you mean". */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: distance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance)
  return best?.candidate
}

export function unknownName(what: string, name: string, known: readonly string[], where: string): Complaint {
  const guess = nearest(name, known)
  return new Complaint(
    `${where}: unknown ${what} ${name}`,
    guess === undefined ? undefined : `did you mean ${guess}?`,
  )
}

/** Levenshtein's distance: how many letters have to be changed, added or left out. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
