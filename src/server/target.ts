import { Failure } from '../protocol/failures.ts'

/** A request target (RFC 9112 section 3.2), taken apart. */
export interface Target {
  readonly path: string
  /** What follows the question mark. */
  readonly query: string
  /** Of the absolute form only. */
  readonly authority: string | undefined
}

const ABSOLUTE = /^https?:\/\/([^/?#]*)([^?#]*)/i
const CREDENTIALS = new Set(['token', 'access_token'])

/** Throws `invalid_request` for a credential in the query: URLs end up in logs and histories (RFC 6750 section 2.3). */
export function readTarget(url: string): Target {
  const question = url.indexOf('?')
  if (question >= 0) refuseCredentials(url.slice(question + 1))
  const query = question < 0 ? '' : url.slice(question + 1)
  if (url.startsWith('/'))
    return { path: question < 0 ? url : url.slice(0, question), query, authority: undefined }
  const absolute = ABSOLUTE.exec(url)
  return { path: absolute?.[2] || '/', query, authority: absolute?.[1] }
}

function refuseCredentials(query: string): void {
  for (const name of new URLSearchParams(query).keys()) {
    if (CREDENTIALS.has(name.toLowerCase())) {
      throw new Failure(
        'invalid_request',
        'A credential does not belong into a URL: send an Authorization header.',
      )
    }
  }
}

/** Where calls go. */
export function isApi({ path }: Target): boolean {
  return path === '/api/' || path === '/api'
}
