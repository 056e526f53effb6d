/** The rules of JSON-RPC 2.0, said once more and in another way than the daemon says them. */

/** What has to come back for a call: with which id, and a code where it is no call at all. Undefined code: it is one. */
export interface Due {
  readonly id: unknown
  readonly code?: number
  /** Of a call. */
  readonly method?: string
}

/** What has to come back for a message: one answer, an array of them, or nothing where there are none. */
export interface Expected {
  readonly batch: boolean
  readonly due: readonly Due[]
}

const PARSE_ERROR = -32700
const INVALID_REQUEST = -32600

export function expectedFor(text: string, limits: { depth: number; batch: number }): Expected {
  const whole = (code: number): Expected => ({ batch: false, due: [{ id: null, code }] })
  const value = parsed(text)
  if (value === undefined) return whole(PARSE_ERROR)
  if (depthOf(text) > limits.depth) return whole(INVALID_REQUEST)
  if (!Array.isArray(value)) return { batch: false, due: dueFor(value) }
  // Section 6: an empty array is no batch but an invalid request.
  if (value.length === 0 || value.length > limits.batch) return whole(INVALID_REQUEST)
  return { batch: true, due: value.flatMap(dueFor) }
}

/** The daemon judges it by its brackets alone, before it is parsed, which they would make slow. */
export function isLargeGarbage(text: string): boolean {
  return text.length > 16 * 1024 && parsed(text) === undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Without its strings, a text's brackets are its depth. */
function depthOf(text: string): number {
  const brackets = text.replace(/"(?:[^"\\]|\\.)*"/g, '').replace(/[^[\]{}]/g, '')
  let [depth, deepest] = [0, 0]
  for (const bracket of brackets) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    deepest = Math.max(deepest, depth)
  }
  return deepest
}

/** Section 4; a notification is due nothing. An id that cannot be told is null (section 5). */
function dueFor(value: unknown): Due[] {
  const members = new Map<string, unknown>(isTable(value) ? Object.entries(value) : [])
  const id = members.get('id') ?? null
  if (!isTable(value) || !isIdentifier(id)) return [{ id: null, code: INVALID_REQUEST }]
  const method = members.get('method')
  const isCall =
    members.get('jsonrpc') === '2.0' &&
    typeof method === 'string' &&
    (!members.has('params') || isStructured(members.get('params')))
  if (!isCall) return [{ id, code: INVALID_REQUEST }]
  return members.has('id') ? [{ id, method }] : []
}

const isStructured = (value: unknown) => typeof value === 'object' && value !== null
const isTable = (value: unknown): value is object => isStructured(value) && !Array.isArray(value)

/** No number that reading it has changed could be given back as it came. */
function isIdentifier(id: unknown): boolean {
  if (typeof id === 'number') return id >= -9007199254740991 && id <= 9007199254740991
  return id === null || typeof id === 'string'
}
