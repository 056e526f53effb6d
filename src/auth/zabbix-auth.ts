import { Failure } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import { isSecretShaped } from './secret.ts'
import type { Verifier } from './verifier.ts'

const TOKEN_LENGTH = 64

/**
 * Why a credential was not accepted, in Zabbix's words, which its clients rely on (its API is the exception to pitfall 9).
 * By length: 64 characters, or one of our own secrets, are a token; anything else is a session, and there are none here.
 * `as`: 'token' where the caller says itself that it is one.
 */
export function tokenRefusal(verifier: Verifier, credential: string, as: 'header' | 'token'): Maybe<Failure> {
  if (as === 'header' && credential.length !== TOKEN_LENGTH && !isSecretShaped(credential)) {
    return new Failure('invalid_params', 'Session terminated, re-login, please.')
  }
  return after(verifier.refusal(credential), (refusal) =>
    refusal?.obstacle === 'expired'
      ? new Failure('refused_object', 'API token expired.')
      : new Failure('invalid_params', 'Not authorized.'),
  )
}
