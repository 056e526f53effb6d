import { invalidParameter, type Schema } from './schema.ts'

/**
 * Values as Zabbix's API takes them: ids and integers as numbers or strings, one id where a list is expected, flags that
 * take anything. PHP does not tell an object from a list, so where a list is expected an object's values serve.
 */

const INT32_MAX = 2_147_483_647

/** Of a call's list. */
export const MAX_OBJECTS = 1_000

/** An integer as number or digits, 32 bits wide, then within bounds (`1-2147483647`) or one of a few values. */
export function looseInteger(
  { min, max }: { min: number; max: number } = { min: -INT32_MAX - 1, max: INT32_MAX },
): Schema<number> {
  const allowed =
    max - min < 5 ? Array.from({ length: max - min + 1 }, (_, at) => min + at).join(', ') : `${min}-${max}`
  return {
    json: { type: ['integer', 'string'], minimum: min, maximum: max },
    read(value, path) {
      const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
      if (typeof number !== 'number' || !Number.isInteger(number))
        throw invalidParameter(path, 'an integer is expected')
      if (number < -INT32_MAX - 1 || number > INT32_MAX) throw invalidParameter(path, 'a number is too large')
      if (number < min || number > max) throw invalidParameter(path, `value must be one of ${allowed}`)
      return number + 0 // no -0
    },
  }
}

/** True and false as they are; null is false, and anything else, 0 and "false" included, is true. */
export function flag(): Schema<boolean> {
  return { json: { type: 'boolean' }, read: (value) => value !== null && value !== false }
}

/** Null stands for "no condition" where the API says so. */
export function nullable<T>(schema: Schema<T>): Schema<T | null> {
  return {
    json: { anyOf: [schema.json, { type: 'null' }] },
    read: (value, path) => (value === null ? null : schema.read(value, path)),
  }
}

/** A list; `single`: one value stands for a list of one. */
export function list<T>(of: Schema<T>, { single = false, max = MAX_OBJECTS } = {}): Schema<T[]> {
  return {
    json: { type: 'array', items: of.json, maxItems: max },
    read(value, path) {
      if (single && (typeof value === 'string' || typeof value === 'number'))
        return [readSingle(of, value, path)]
      if (typeof value !== 'object' || value === null) throw invalidParameter(path, 'an array is expected')
      const elements = Object.values(value)
      if (elements.length > max) throw invalidParameter(path, `the list has more than ${max} elements`)
      return elements.map((element, at) => of.read(element, position(path, at)))
    },
  }
}

/** Zabbix says of a single bad value that it should have been a list. */
function readSingle<T>(of: Schema<T>, value: unknown, path: string): T {
  try {
    return of.read(value, position(path, 0))
  } catch (error) {
    throw of.json.enum === undefined ? invalidParameter(path, 'an array is expected') : error
  }
}

/** Positions are counted from 1. */
export function position(path: string, at: number): string {
  return path === '/' ? `/${at + 1}` : `${path}/${at + 1}`
}

/** One of a few words. */
export function word(words: readonly string[]): Schema<string> {
  const quoted = words.map((one) => `"${one}"`).join(', ')
  return {
    json: { type: 'string', enum: words },
    read(value, path) {
      if (typeof value !== 'string') throw invalidParameter(path, 'a character string is expected')
      if (!words.includes(value))
        throw invalidParameter(path, `value must be ${words.length > 1 ? 'one of ' : ''}${quoted}`)
      return value
    },
  }
}

/** Refuses the second of two equal values, by its path. */
export function unique<T extends string>(schema: Schema<T[]>): Schema<T[]> {
  return {
    ...schema,
    json: { ...schema.json, uniqueItems: true },
    read(value, path) {
      const elements = schema.read(value, path)
      const seen = new Set<T>()
      elements.forEach((element, at) => {
        if (seen.has(element)) throw invalidParameter(position(path, at), `value (${element}) already exists`)
        seen.add(element)
      })
      return elements
    },
  }
}

/** A list that is not empty. */
export function filled<T>(schema: Schema<T[]>): Schema<T[]> {
  return {
    ...schema,
    json: { ...schema.json, minItems: 1 },
    read(value, path) {
      if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) {
        throw invalidParameter(path, 'cannot be empty')
      }
      return schema.read(value, path)
    },
  }
}

/** One object, or a list of them: what has no number as its first key is an object. */
export function objects<T>(of: Schema<T>): Schema<T[]> {
  const several = filled(list(of))
  return {
    json: { anyOf: [of.json, several.json] },
    read(value, path) {
      const [first] = typeof value === 'object' && value !== null ? Object.keys(value) : []
      return several.read(first === undefined || /^(0|-?[1-9]\d*)$/.test(first) ? value : [value], path)
    },
  }
}
