import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Failure } from '../protocol/failures.ts'
import { nestingOf } from '../protocol/jsonrpc.ts'
import type { Maybe } from '../protocol/maybe.ts'
import type { Origin } from './origin.ts'

/** A request to an endpoint beside the API: what it says, and who sent it. */
export interface EndpointRequest {
  readonly verb: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly origin: Origin
  /** Empty where the endpoint wants no body. */
  readonly body: string
  /** Whether it came through TLS. */
  readonly encrypted: boolean
}

export interface EndpointAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** One path. It words a request as a call and the outcome as HTTP; it decides nothing. */
export interface Endpoint {
  readonly verbs: readonly string[]
  readonly takesBody: boolean
  /** How failures are told that come before the answer: from the body, or the connection. */
  refuse(failure: Failure): EndpointAnswer
  /** Never rejects. */
  answer(request: EndpointRequest): Maybe<EndpointAnswer>
}

export type Endpoints = ReadonlyMap<string, Endpoint>

/** The one that a request asks, whatever else may be wrong with its target. */
export function endpointOf(endpoints: Endpoints, { url = '/' }: IncomingMessage): Endpoint | undefined {
  return endpoints.get(url.split('?')[0] as string)
}

export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): EndpointAnswer {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

/** The members of a form or of a JSON object, by the content type. Throws `invalid_request`. */
export function readFields({ headers, body }: EndpointRequest): Record<string, unknown> {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  const media = type.trim().toLowerCase()
  if (media === 'application/x-www-form-urlencoded') return fieldsOfForm(body)
  if (media === '' && body === '') return {}
  const parsed = media === 'application/json' ? readJson(body) : undefined
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
    return parsed as Record<string, unknown>
  throw new Failure('invalid_request', 'Send a form, or a JSON object with its content type.')
}

/** RFC 6749 section 3.2: a parameter is there once. */
function fieldsOfForm(body: string): Record<string, unknown> {
  const form = [...new URLSearchParams(body)]
  const names = form.map(([name]) => name)
  if (new Set(names).size < names.length)
    throw new Failure('invalid_request', 'A field is in the form more than once.')
  return Object.fromEntries(form)
}

/** What is sent here are flat fields, and a payload. */
const MOST_NESTED = 64

export function readJson(body: string): unknown {
  // Before it is parsed: a megabyte of brackets takes the parser a quarter of a second.
  if (nestingOf(body).deepest > MOST_NESTED)
    throw new Failure('invalid_request', `The body nests deeper than ${MOST_NESTED} levels.`)
  try {
    return JSON.parse(body)
  } catch {
    throw new Failure('invalid_request', 'The body is not JSON.')
  }
}
