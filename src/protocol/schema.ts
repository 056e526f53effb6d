import { Failure } from './failures.ts'

/**
 * What a value must look like, said once: its TypeScript type, its JSON Schema (for rpc.discover and the README) and the
 * check that names the first fault by its path. The texts follow Zabbix's ("Invalid parameter "/ttl": an integer is
 * expected."), which scripts already know how to read; a general schema library words and orders them otherwise.
 */
export interface Schema<T> {
  readonly json: JsonSchema
  /** Returns the value as checked; throws `invalid_params` with the path of the first fault. */
  read(value: unknown, path: string): T
}

export type JsonSchema = Readonly<Record<string, unknown>>
export type Infer<S> = S extends Schema<infer T> ? T : never

/** A member that may be left out. Null never means "left out". */
export interface Optional<T> {
  readonly optional: Schema<T>
}

type Fields = Readonly<Record<string, Schema<unknown> | Optional<unknown>>>
type Member<F> = F extends Optional<infer T> ? T : Infer<F>
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends Optional<unknown> ? K : never }[keyof F]
type ObjectOf<F extends Fields> = { [K in Exclude<keyof F, OptionalKeys<F>>]: Member<F[K]> } & {
  [K in OptionalKeys<F>]?: Member<F[K]>
}

export function invalidParameter(path: string, reason: string): Failure {
  return new Failure('invalid_params', `Invalid parameter "${path}": ${reason}.`)
}

export function optional<T>(schema: Schema<T>): Optional<T> {
  return { optional: schema }
}

/** A schema with a sentence for people. */
export function described<T>(schema: Schema<T>, description: string): Schema<T> {
  return { ...schema, json: { ...schema.json, description } }
}

/** An integer as a JSON number; strings of digits are not taken for numbers. `min` and `max` are inclusive. */
export function integer({ min, max }: { min: number; max: number }): Schema<number> {
  return {
    json: { type: 'integer', minimum: min, maximum: max },
    read(value, path) {
      if (typeof value !== 'number' || !Number.isInteger(value))
        throw invalidParameter(path, 'an integer is expected')
      if (value < min || value > max) throw invalidParameter(path, `value must be one of ${min}-${max}`)
      return value
    },
  }
}

/** Text of `min` to `max` code points. A lone surrogate is refused: it has no UTF-8 form and would be stored as another text. */
export function text({ min = 0, max }: { min?: number; max: number }): Schema<string> {
  return {
    json: { type: 'string', ...(min > 0 && { minLength: min }), maxLength: max },
    read(value, path) {
      if (typeof value !== 'string' || !value.isWellFormed()) {
        throw invalidParameter(path, 'a character string is expected')
      }
      if (min > 0 && value === '') throw invalidParameter(path, 'cannot be empty')
      if (value.length > max && codePoints(value) > max) throw invalidParameter(path, 'value is too long')
      return value
    },
  }
}

function codePoints(value: string): number {
  let count = 0
  for (const _ of value) count++
  return count
}

export function boolean(): Schema<boolean> {
  return {
    json: { type: 'boolean' },
    read(value, path) {
      if (typeof value !== 'boolean') throw invalidParameter(path, 'a boolean is expected')
      return value
    },
  }
}

const MAX_ID = 9223372036854775807n

/** An id from a counter, as Zabbix takes them: a string of digits or an integer; leading zeros are dropped. */
export function oneOf<T extends string>(...words: readonly T[]): Schema<T> {
  return {
    json: { enum: words },
    read(value, path) {
      const word = words.find((known) => known === value)
      if (word === undefined) throw invalidParameter(path, `value must be one of ${words.join(', ')}`)
      return word
    },
  }
}

export function id(): Schema<string> {
  return {
    json: { type: 'string', pattern: '^[0-9]+$' },
    read(value, path) {
      const digits = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
      if (typeof digits !== 'string' || !/^[0-9]+$/.test(digits))
        throw invalidParameter(path, 'a number is expected')
      const number =
        digits.length <= 19 ? BigInt(digits) : BigInt(digits.replace(/^0+(?=\d)/, '').slice(0, 20))
      if (number > MAX_ID) throw invalidParameter(path, 'a number is too large')
      return String(number)
    },
  }
}

/** A list of at most `max` elements, each read by `schema`. */
export function array<T>(schema: Schema<T>, { max }: { max: number }): Schema<T[]> {
  return {
    json: { type: 'array', items: schema.json, maxItems: max },
    read(value, path) {
      if (!Array.isArray(value)) throw invalidParameter(path, 'an array is expected')
      if (value.length > max) throw invalidParameter(path, `at most ${max} are allowed`)
      return value.map((element, at) => schema.read(element, below(path, String(at + 1))))
    },
  }
}

/** A closed object: unknown members are refused before anything else, then each member is read in the order given here. */
export function object<F extends Fields>(fields: F): Schema<ObjectOf<F>> & { readonly fields: F } {
  const entries = Object.entries(fields).map(([name, field]) =>
    'optional' in field
      ? { name, schema: field.optional, required: false }
      : { name, schema: field, required: true },
  )
  return {
    fields,
    json: {
      type: 'object',
      properties: Object.fromEntries(entries.map(({ name, schema }) => [name, schema.json])),
      required: entries.filter((entry) => entry.required).map((entry) => entry.name),
      additionalProperties: false,
    },
    read(value, path) {
      if (typeof value !== 'object' || value === null) throw invalidParameter(path, 'an array is expected')
      for (const name of Object.keys(value)) {
        if (!Object.hasOwn(fields, name)) throw invalidParameter(path, `unexpected parameter "${name}"`)
      }
      const read: Record<string, unknown> = {}
      for (const { name, schema, required } of entries) {
        if (Object.hasOwn(value, name)) {
          read[name] = schema.read((value as Record<string, unknown>)[name], below(path, name))
        } else if (required) {
          throw invalidParameter(path, `the parameter "${name}" is missing`)
        }
      }
      return read as ObjectOf<F>
    },
  }
}

function below(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`
}

/** The shape of a result, for documents only: our own answers are not checked at run time. */
export function shape<T>(json: JsonSchema): Schema<T> {
  return { json, read: (value) => value as T }
}
