import type { IncomingHttpHeaders } from 'node:http'
import { KeptWords } from '../auth/kept-words.ts'
import { allows } from '../auth/scopes.ts'
import { asFailure, Failure } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Endpoint, EndpointAnswer, EndpointRequest } from './endpoints.ts'
import { bearerOf, type Identification, invalidToken } from './identify.ts'
import { begin, end } from './in-flight.ts'
import type { Current } from './limits.ts'
import { type Route, scopeOf } from './routes.ts'

export interface ForwardAuthParts {
  readonly identification: Identification
  readonly routes: Current<readonly Route[]>
}

/**
 * What a reverse proxy asks before it lets a request through (nginx auth_request, Caddy forward_auth, Traefik ForwardAuth):
 * 204 with who it is, 401 for a credential that is not valid, 403 for one that is not enough. Never a redirect.
 */
export function forwardAuth(parts: ForwardAuthParts): Endpoint {
  return {
    verbs: ['GET', 'HEAD', 'POST'],
    takesBody: false,
    refuse: refused,
    // A token that is kept in memory is answered without a turn of the event loop.
    answer(request) {
      try {
        const answer = admit(request, parts)
        if (!(answer instanceof Promise)) return answer
        const { connection } = request.origin
        begin(connection, 1)
        return answer.catch((thrown: unknown) => refused(asFailure(thrown))).finally(() => end(connection, 1))
      } catch (thrown) {
        return refused(asFailure(thrown))
      }
    },
  }
}

/** Who it is, before what they may: a stranger does not learn which paths there are. */
function admit(
  request: EndpointRequest,
  { identification, routes }: ForwardAuthParts,
): Maybe<EndpointAnswer> {
  const credential = bearerOf(request.origin.authorization)
  if (credential === undefined) throw invalidToken()
  return after(identification.identify(request.origin, credential), (caller) => {
    if (caller === undefined) throw invalidToken()
    const scope = requiredScope(request, routes())
    if (scope === undefined || allows(caller.token.scopes, scope)) return admissions.of(caller)
    throw new Failure('forbidden', `The scopes of this token do not name ${scope}.`)
  })
}

/** Undefined: none, any valid token will do. Throws `forbidden` where rules are configured and none is about the request. */
function requiredScope({ query, headers }: EndpointRequest, routes: readonly Route[]): string | undefined {
  const named = query.getAll('scope')
  if (named.length > 1 || named[0] === '') throw new Failure('forbidden', 'Name one scope.')
  if (named[0] !== undefined) return named[0]
  if (routes.length === 0) return undefined
  const scope = scopeOf(routes, originalOf(headers))
  if (scope === undefined) throw new Failure('forbidden', 'No route is about this request.')
  return scope
}

/** The request that the proxy asks about. A proxy that sets one pair of headers may let the other through: they must not differ. */
function originalOf(headers: IncomingHttpHeaders): { method: string; path: string } {
  const method = agreed(headers, 'x-original-method', 'x-forwarded-method')
  const uri = agreed(headers, 'x-original-uri', 'x-forwarded-uri')
  const [path = ''] = uri.split('?')
  return { method, path }
}

function agreed(headers: IncomingHttpHeaders, one: string, other: string): string {
  const [first, second] = [headers[one], headers[other]]
  const value = first ?? second
  if (typeof value !== 'string' || (second !== undefined && second !== value))
    throw new Failure('forbidden', `The proxy has to say it in ${one}, and nobody else in ${other}.`)
  return value
}

const admissions = new KeptWords<EndpointAnswer>(({ token, user }) => ({
  status: 204,
  headers: {
    'X-Postern-User': asHeader(user.username),
    'X-Postern-User-Id': user.id,
    'X-Postern-Token-Id': asHeader(token.id),
    'X-Postern-Scopes': token.scopes.join(' '),
  },
}))

/** Printable ASCII as it is; the rest, and the percent sign, percent-encoded UTF-8. */
function asHeader(text: string): string {
  return text.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]/gu, (char) => encodeURIComponent(char))
}

/** nginx makes 500 of anything but 401 and 403. */
function refused({ name, headers }: Failure): EndpointAnswer {
  if (name === 'unauthenticated') return { status: 401, headers }
  if (name === 'unavailable' || name === 'internal') return { status: 503 }
  // Two Authorization headers, or two stories about the client's address: no credential is valid there.
  if (name === 'invalid_request') return { status: 401, headers: invalidToken().headers }
  return { status: 403 }
}
