import { asFailure, Failure } from '../protocol/failures.ts'
import type { Call } from '../protocol/jsonrpc.ts'
import type { Dispatcher, Outcome } from './dispatch.ts'
import { type Endpoint, type EndpointAnswer, type EndpointRequest, json, readFields } from './endpoints.ts'
import { begin, end } from './in-flight.ts'
import type { Origin } from './origin.ts'

const INTROSPECT = '/oauth2/introspect'
const REVOKE = '/oauth2/revoke'
const METADATA = '/.well-known/oauth-authorization-server'

/** Introspection (RFC 7662), revocation (RFC 7009), and where they are (RFC 8414). */
export function oauthEndpoints(dispatcher: Dispatcher): [string, Endpoint][] {
  const post = (answer: (request: EndpointRequest) => Promise<EndpointAnswer>): Endpoint => ({
    verbs: ['POST'],
    takesBody: true,
    refuse: refused,
    async answer(request) {
      begin(request.origin.connection, 1)
      try {
        return await answer(request)
      } catch (thrown) {
        return refused(asFailure(thrown))
      } finally {
        end(request.origin.connection, 1)
      }
    },
  })
  return [
    [INTROSPECT, post((request) => introspect(dispatcher, request))],
    [REVOKE, post((request) => revoke(dispatcher, request))],
    [METADATA, { verbs: ['GET', 'HEAD'], takesBody: false, refuse: refused, answer: metadata }],
  ]
}

async function introspect(dispatcher: Dispatcher, request: EndpointRequest): Promise<EndpointAnswer> {
  const call = {
    jsonrpc: '2.0' as const,
    id: null,
    method: 'token.introspect',
    params: { token: tokenIn(request) },
  }
  const outcome = await ask(dispatcher, call, request.origin)
  if ('failure' in outcome) return refused(outcome.failure)
  return { status: 200, headers: { 'Content-Type': 'application/json' }, body: outcome.result }
}

/** A token that is not known is revoked already: 200 (section 2.2). */
async function revoke(dispatcher: Dispatcher, request: EndpointRequest): Promise<EndpointAnswer> {
  const call = {
    jsonrpc: '2.0' as const,
    id: null,
    method: 'Auth.RevokeApiToken',
    params: { token: tokenIn(request) },
  }
  const outcome = await ask(dispatcher, call, request.origin)
  if ('failure' in outcome && outcome.failure.name !== 'refused_object') return refused(outcome.failure)
  return { status: 200, headers: { 'Content-Length': '0' } }
}

async function ask(dispatcher: Dispatcher, call: Call, origin: Origin): Promise<Outcome> {
  const client = asClient(origin)
  const outcome = await dispatcher.dispatch(call, client, undefined)
  if (client.expiresIn !== undefined) origin.expiresIn = client.expiresIn
  return outcome
}

function tokenIn(request: EndpointRequest): string {
  const { token } = readFields(request)
  if (typeof token === 'string' && token !== '') return token
  throw new Failure('invalid_request', 'The form has to name the token.')
}

/** A client that authenticates with HTTP Basic (RFC 6749 section 2.3.1) sends its token as the password. */
function asClient(origin: Origin): Origin {
  const [, encoded] = /^basic +([\w+/=-]+)$/i.exec(origin.authorization ?? '') ?? []
  if (encoded === undefined) return origin
  const [, password = ''] = /^[^:]*:(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? []
  return { ...origin, authorization: `Bearer ${formDecoded(password)}` }
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

const ERRORS: Readonly<Record<string, string>> = {
  unauthenticated: 'invalid_client',
  forbidden: 'insufficient_scope',
  unavailable: 'temporarily_unavailable',
  limited: 'temporarily_unavailable',
  internal: 'server_error',
}

/** RFC 6749 section 5.2. */
function refused({ name, status, data, headers }: Failure): EndpointAnswer {
  const body = {
    error: ERRORS[name] ?? 'invalid_request',
    ...(data !== undefined && { error_description: data }),
  }
  return json(status, body, headers)
}

/** It tells nothing that the caller did not bring: the issuer is the place at which it was asked for. */
function metadata({ headers, encrypted }: EndpointRequest): EndpointAnswer {
  const host = headers.host ?? ''
  if (!/^[\w.:[\]-]+$/.test(host)) return refused(new Failure('invalid_request', 'The Host is not one.'))
  const issuer = `${encrypted ? 'https' : 'http'}://${host}`
  const methods = ['Bearer', 'client_secret_basic']
  return json(200, {
    issuer,
    introspection_endpoint: issuer + INTROSPECT,
    introspection_endpoint_auth_methods_supported: methods,
    revocation_endpoint: issuer + REVOKE,
    revocation_endpoint_auth_methods_supported: methods,
    response_types_supported: [],
  })
}
