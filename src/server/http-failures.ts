import { Failure } from '../protocol/failures.ts'

/** What Node's parser, or its time limits, had against a request. */
export function clientFailure(code: string | undefined): Failure {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Failure('invalid_request', "The request's header is too large.", { http: 'headers' })
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Failure('invalid_request', 'The chunk extensions are too large.', { http: 'too_large' })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Failure('invalid_request', 'The request took too long to arrive.', { http: 'too_slow' })
    default:
      return new Failure('invalid_request', 'This is not a valid HTTP request.')
  }
}

export function wrongVerb(allow: string): Failure {
  const headers = { Allow: allow }
  return new Failure('invalid_request', `Only ${allow} is understood here.`, { http: 'wrong_verb', headers })
}

export function notFound(reason: string): Failure {
  return new Failure('invalid_request', reason, { http: 'not_found' })
}

export const UNKNOWN_EXPECTATION = new Failure(
  'invalid_request',
  'Only "Expect: 100-continue" is understood.',
  {
    http: 'expectation',
  },
)
