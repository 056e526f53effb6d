import type { Logger } from 'pino'
import { type Caller, type LocalCaller, RANK, type TokenCaller } from '../auth/caller.ts'
import type { LastAccess } from '../auth/last-access.ts'
import type { UserType } from '../auth/records.ts'
import type { Verified, Verifier } from '../auth/verifier.ts'
import type { Access } from '../methods/method.ts'
import { Failure } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Connection, Origin } from './origin.ts'

/** From origin and credential to a caller who may call the row, or a refusal. Done for every call anew. */
export class Identification {
  readonly #verifier: Verifier
  readonly #lastAccess: LastAccess
  readonly #log: Logger

  constructor(verifier: Verifier, lastAccess: LastAccess, log: Logger) {
    this.#verifier = verifier
    this.#lastAccess = lastAccess
    this.#log = log
  }

  /** `token`: the call's own `Token` member. Throws `unauthenticated`, `forbidden`, `unavailable`. */
  admit(access: Access, origin: Origin, token: string | undefined): Maybe<Caller> {
    return access === 'local' ? this.#local(origin) : this.#bearer(access, origin, token)
  }

  #local(origin: Origin): LocalCaller {
    const { peer } = origin.connection
    const reason = origin.notLocal()
    if (reason === undefined) return { kind: 'local', peer }
    this.#log.warn(
      { door: peer.door, uid: peer.uid, pid: peer.pid, reason },
      'refused a call that only local callers may make',
    )
    // To strangers the reason would be a recipe.
    const told = peer.door === 'unix' ? `: ${reason}` : ''
    throw new Failure(
      'forbidden',
      `Only local callers may do this${told}. Mint on the host itself, over the Unix socket.`,
    )
  }

  #bearer(least: UserType, origin: Origin, token: string | undefined): Maybe<TokenCaller> {
    const credential = token ?? bearerOf(origin.authorization)
    if (credential === undefined) throw missing()
    return after(this.identify(origin.connection, credential), (caller) => {
      if (caller === undefined) throw invalidToken()
      if (mayCall(caller, least)) return caller
      throw new Failure('forbidden', `This takes the token of a user of type ${least}.`)
    })
  }

  /** Whose credential it is; undefined: it is not valid. An accepted one counts as an access to its token. */
  identify(connection: Connection, credential: string): Maybe<TokenCaller | undefined> {
    const recalled = recall(this.#verifier, connection, credential)
    if (recalled !== undefined) return this.#accept(recalled, connection)
    return after(this.#verifier.verify(credential), (verified) => {
      if (verified === undefined) return undefined
      connection.memo = { credential, live: verified.live }
      return this.#accept(verified, connection)
    })
  }

  #accept({ live, user }: Verified, { peer }: Connection): TokenCaller {
    this.#lastAccess.touch(live.record.id)
    return { kind: 'token', peer, token: live.record, user }
  }
}

/** Whether the type of a caller's user is enough for a row; no token is enough for a local one. */
export function mayCall({ user }: TokenCaller, access: Access): boolean {
  return access !== 'local' && RANK[user.type] >= RANK[access]
}

function recall(verifier: Verifier, { memo }: Connection, credential: string): Verified | undefined {
  return memo?.credential === credential ? verifier.check(memo.live) : undefined
}

/** The credential of an Authorization header; undefined for another scheme than Bearer (in any case, RFC 9110 section 11.1). */
export function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  const scheme = authorization.slice(0, 7)
  if (scheme === 'Bearer ' || /^bearer ?$/i.test(scheme)) return authorization.slice(7).trim()
  return undefined
}

// RFC 6750 section 3: no error code where no credential was presented.
function missing(): Failure {
  return new Failure('unauthenticated', 'A token is needed: send "Authorization: Bearer <token>".', {
    headers: { 'WWW-Authenticate': 'Bearer realm="postern"' },
  })
}

/** Unknown, expired, disabled, revoked and malformed are answered alike to the letter: no oracle (pitfall 9). */
export function invalidToken(): Failure {
  return new Failure(
    'unauthenticated',
    'The token is not valid. It may have expired or been revoked: mint another.',
    {
      headers: { 'WWW-Authenticate': 'Bearer realm="postern", error="invalid_token"' },
    },
  )
}
