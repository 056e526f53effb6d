import { Failure } from '../protocol/failures.ts'
import { type Id, isId, nestingOf, type Params } from '../protocol/jsonrpc.ts'
import { invalidParameter } from '../protocol/schema.ts'

/** PHP's json_decode goes no deeper. */
const MAX_DEPTH = 511
const MEMBERS = ['jsonrpc', 'method', 'params', 'id']

/** A call on the Zabbix path. Without an id it is a notification. */
export interface ZabbixCall {
  readonly method: string
  readonly params: Params
  readonly id: Id | undefined
}

/** One element of a request: a call, or what is wrong with it. */
export type ZabbixElement = { readonly call: ZabbixCall } | { readonly failure: Failure; readonly id: Id }

export interface ZabbixMessage {
  readonly batch: boolean
  readonly elements: readonly ZabbixElement[]
}

/** Text → calls. Throws what is answered as one object with id null. */
export function parseZabbix(text: string, maxBatch: number): ZabbixMessage {
  const value = parseStrictly(text)
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    throw new Failure('invalid_request', 'The received JSON is not a valid JSON-RPC request.')
  }
  if (!Array.isArray(value)) return { batch: false, elements: [readElement(value)] }
  if (value.length > maxBatch) {
    throw new Failure('invalid_request', `The batch holds ${value.length} calls; the limit is ${maxBatch}.`)
  }
  return { batch: true, elements: value.map(readElement) }
}

function parseStrictly(text: string): unknown {
  try {
    if (!(text.length > MAX_DEPTH && nestingOf(text).deepest > MAX_DEPTH)) {
      const value: unknown = JSON.parse(text)
      if (!(/\\ud[89a-f]/i.test(text) && hasLoneSurrogate(value))) return value
    }
  } catch {
    // falls through to the one answer that there is for all of these
  }
  throw new Failure(
    'parse_error',
    'Invalid JSON. An error occurred on the server while parsing the JSON text.',
  )
}

function hasLoneSurrogate(value: unknown): boolean {
  if (typeof value === 'string') return !value.isWellFormed()
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([name, inner]) => !name.isWellFormed() || hasLoneSurrogate(inner))
}

/** Unknown members first, then each in its order; the id is echoed where it is valid. */
function readElement(value: unknown): ZabbixElement {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { failure: envelopeFailure('/', 'an array is expected'), id: null }
  }
  const { jsonrpc, method, params, id } = value as Record<string, unknown>
  const echo = isId(id) ? id : null
  const fault = faultOf(value as Record<string, unknown>, { jsonrpc, method, params, id })
  if (fault !== undefined) return { failure: fault, id: echo }
  return { call: { method: method as string, params: params as Params, id: id as Id | undefined } }
}

function faultOf(
  members: Record<string, unknown>,
  { jsonrpc, method, params, id }: Record<string, unknown>,
): Failure | undefined {
  const has = (name: string) => Object.hasOwn(members, name)
  const unknown = Object.keys(members).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) return envelopeFailure('/', `unexpected parameter "${unknown}"`)
  if (!has('jsonrpc')) return envelopeFailure('/', 'the parameter "jsonrpc" is missing')
  if (typeof jsonrpc !== 'string') return envelopeFailure('/jsonrpc', 'a character string is expected')
  if (jsonrpc !== '2.0') return envelopeFailure('/jsonrpc', 'value must be "2.0"')
  if (!has('method')) return envelopeFailure('/', 'the parameter "method" is missing')
  if (typeof method !== 'string') return envelopeFailure('/method', 'a character string is expected')
  if (!has('params')) return envelopeFailure('/', 'the parameter "params" is missing')
  if (typeof params !== 'object' || params === null)
    return envelopeFailure('/params', 'an array or object is expected')
  if (has('id') && !isId(id)) return envelopeFailure('/id', 'a string, number or null value is expected')
  return undefined
}

function envelopeFailure(path: string, reason: string): Failure {
  return new Failure('invalid_request', invalidParameter(path, reason).data)
}
