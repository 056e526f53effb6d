import { type ErrorObject, Failure } from './failures.ts'

/**
 * JSON-RPC 2.0 as text: bytes of the outside become calls here, outcomes become text. The `json-rpc-2.0` package runs a
 * single valid call; what it leaves open (types of members, batches, nulls, depth) is settled before it sees anything.
 */

export type Id = string | number | null
export type Params = readonly unknown[] | Record<string, unknown>

/** A valid request object. Without an id it is a notification: it runs and nothing is answered. */
export interface Call {
  jsonrpc: '2.0'
  method: string
  params: Params | undefined
  id: Id | undefined
}

/** An element that is no valid request. It is answered even without an id: it is not a notification either. */
export interface InvalidCall {
  failure: Failure
  id: Id
}

export type Element = Call | InvalidCall
export type Message = { batch: false; element: Element } | { batch: true; elements: Element[] }

/** `depth`: nesting of arrays and objects; `batch`: calls in one array. */
export interface MessageLimits {
  depth: number
  batch: number
}

/** Text → message. Throws `parse_error` and `invalid_request`; a bad element of a batch is answered in its place. */
export function parseMessage(text: string, limits: MessageLimits): Message {
  // Before it is parsed: a megabyte of brackets takes the parser a quarter of a second. 2 × depth brackets are the least
  // that a valid text that is too deep can hold: short calls skip the scan.
  if (text.length > 2 * limits.depth) refuseDeep(text, limits.depth)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw notJson(cause)
  }
  if (!Array.isArray(value)) return { batch: false, element: readElement(value) }
  if (value.length === 0) throw new Failure('invalid_request', 'The batch is empty.')
  if (value.length > limits.batch) {
    throw new Failure(
      'invalid_request',
      `The batch holds ${value.length} calls; the limit is ${limits.batch}.`,
    )
  }
  return { batch: true, elements: value.map(readElement) }
}

/** One request object, checked member by member (sections 4 and 4.2). Members that the standard does not know are ignored. */
function readElement(value: unknown): Element {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalid(null, 'A request is a JSON object.')
  }
  const { jsonrpc, method, params, id } = value as Record<string, unknown>
  if (id !== undefined && !isId(id)) {
    return invalid(null, 'The id must be a string, null, or a number within ±(2^53-1).')
  }
  if (jsonrpc !== '2.0') return invalid(id ?? null, 'The member "jsonrpc" must be "2.0".')
  if (typeof method !== 'string') return invalid(id ?? null, 'The member "method" must be a string.')
  if (params !== undefined && (typeof params !== 'object' || params === null)) {
    return invalid(id ?? null, 'The member "params" must be an array or an object.')
  }
  return { jsonrpc, method, params: params as Params | undefined, id }
}

function invalid(id: Id, reason: string): InvalidCall {
  return { failure: new Failure('invalid_request', reason), id }
}

// Beyond 2^53-1 JSON.parse has already changed the number, so it could not be echoed as it came.
export function isId(id: unknown): id is Id {
  return (
    typeof id === 'string' ||
    id === null ||
    (typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER)
  )
}

/** Characters of a text whose brackets, however many, are parsed in no time. */
const QUICKLY_PARSED = 16 * 1024

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function refuseDeep(text: string, limit: number): void {
  const { deepest, unclosed } = nestingOf(text)
  if (deepest <= limit) return
  if (unclosed !== 0 || (text.length <= QUICKLY_PARSED && !isJson(text))) throw notJson()
  throw new Failure('invalid_request', `The message nests deeper than ${limit} levels.`)
}

function notJson(cause?: unknown): Failure {
  return new Failure('parse_error', 'The message is not valid JSON.', { cause })
}

/** Looks at text before it is parsed, whatever it is; a recursive walk of the value could itself run out of stack. */
export function nestingOf(text: string): { deepest: number; unclosed: number } {
  let deepest = 0
  let unclosed = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at)
        break
      case 0x5b: // [
      case 0x7b: // {
        if (++unclosed > deepest) deepest = unclosed
        break
      case 0x5d: // ]
      case 0x7d: // }
        unclosed--
    }
  }
  return { deepest, unclosed }
}

/** Where a string ends that begins at `open`; one that does not end, at the end of the text. */
export function endOfString(text: string, open: number): number {
  let close = text.indexOf('"', open + 1)
  while (close >= 0 && isEscaped(text, close)) close = text.indexOf('"', close + 1)
  return close < 0 ? text.length : close
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0
  while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++
  return slashes % 2 === 1
}

/** A response object as text. `resultText` is JSON already. */
export function encodeResult(id: Id, resultText: string): string {
  return `{"jsonrpc":"2.0","result":${resultText},"id":${encodeId(id)}}`
}

export function encodeError(id: Id, error: ErrorObject): string {
  return `{"jsonrpc":"2.0","error":${JSON.stringify(error)},"id":${encodeId(id)}}`
}

export function encodeFailure(failure: Failure, id: Id = null): string {
  return `{"jsonrpc":"2.0","error":${failure.toErrorText()},"id":${encodeId(id)}}`
}

// JSON.stringify prints -0 as 0; an id is echoed as it came.
function encodeId(id: Id): string {
  return Object.is(id, -0) ? '-0' : JSON.stringify(id)
}
