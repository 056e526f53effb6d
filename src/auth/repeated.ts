import { position } from '../protocol/loose.ts'
import { invalidParameter } from '../protocol/schema.ts'

/**
 * Several objects in one request: refuses the second of two that are the same by `values`, with its path. Undefined: an
 * object that does not say. `fields` names what they are the same in: "userid, name".
 */
export function refuseRepeated(fields: string, values: readonly (readonly string[] | undefined)[]): void {
  const seen = new Set<string>()
  values.forEach((value, at) => {
    if (value === undefined) return
    const key = JSON.stringify(value)
    if (seen.has(key)) {
      throw invalidParameter(position('/', at), `value (${fields})=(${value.join(', ')}) already exists`)
    }
    seen.add(key)
  })
}
