import { describePeer } from '../auth/actor.ts'
import type { Admission } from '../auth/admission.ts'
import { type Caller, type LocalCaller, RANK, type TokenCaller } from '../auth/caller.ts'
import type { LastAccess } from '../auth/last-access.ts'
import type { Operators } from '../auth/operators.ts'
import { allows } from '../auth/scopes.ts'
import type { Verified, Verifier } from '../auth/verifier.ts'
import type { Method } from '../methods/method.ts'
import { Failure } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Current } from './limits.ts'
import { whyNotLocal } from './local.ts'
import type { Connection, Origin } from './origin.ts'
import type { RefusalLog } from './refusal-log.ts'

/** From origin and credential to a caller who may call the row, or a refusal. Done for every call anew. */
export class Identification {
  readonly #verifier: Verifier
  readonly #lastAccess: LastAccess
  readonly #admission: Admission
  readonly #operators: Current<Operators>
  readonly #refusals: RefusalLog

  constructor(parts: {
    verifier: Verifier
    lastAccess: LastAccess
    admission: Admission
    operators: Current<Operators>
    refusals: RefusalLog
  }) {
    this.#verifier = parts.verifier
    this.#lastAccess = parts.lastAccess
    this.#admission = parts.admission
    this.#operators = parts.operators
    this.#refusals = parts.refusals
  }

  /** `token`: the call's own `Token` member. Throws `unauthenticated`, `forbidden`, `unavailable`. */
  admit(row: Method, origin: Origin, token: string | undefined): Maybe<Caller> {
    return row.access === 'local' ? this.#local(origin) : this.#bearer(row, origin, token)
  }

  #local(origin: Origin): LocalCaller {
    const { peer } = origin.connection
    const reason = whyNotLocal(peer, origin.claims)
    if (reason !== undefined) throw this.#refuse(origin, { reason })
    const operators = this.#operators()
    const grant = operators.grantTo(peer)
    if (grant === undefined) throw this.#refuse(origin, operators.explain(peer))
    return { kind: 'local', peer, grant }
  }

  #refuse(
    { connection: { peer }, address }: Origin,
    why: { readonly reason: string; readonly hint?: string },
  ): Failure {
    const { kind: _, ...who } = describePeer(peer)
    this.#refusals.warn('mint', { ...who, address, ...why }, `refused to mint: ${why.reason}`)
    // To strangers the reason would be a recipe; who is on the Unix socket may be told.
    const told = peer.door === 'unix' ? `: ${why.reason}` : ''
    return new Failure(
      'forbidden',
      `Only local operators may do this${told}. Mint on the host itself, over the Unix socket, as an operator.`,
    )
  }

  #bearer(row: Method, origin: Origin, token: string | undefined): Maybe<TokenCaller> {
    const credential = token ?? bearerOf(origin.authorization)
    if (credential === undefined) {
      this.#refusals.count('token')
      throw missing()
    }
    return after(this.identify(origin, credential), (caller) => {
      if (caller !== undefined && mayCall(caller, row)) return caller
      this.#refusals.count(caller === undefined ? 'token' : 'call')
      throw caller === undefined ? invalidToken() : insufficient(caller, row)
    })
  }

  /** Whose credential it is; undefined: it is not valid. An accepted one counts as an access to its token. */
  identify(origin: Origin, credential: string): Maybe<TokenCaller | undefined> {
    const { connection } = origin
    const recalled = recall(this.#verifier, connection, credential)
    if (recalled !== undefined) return this.#admit(recalled, origin)
    return after(this.#verifier.verify(credential), (verified) => {
      if (verified === undefined) return undefined
      connection.memo = { credential, live: verified.live }
      return this.#admit(verified, origin)
    })
  }

  #admit(verified: Verified, { address }: Origin): Maybe<TokenCaller | undefined> {
    const { live, user } = verified
    return after(this.#admission.use(live, address), (admitted) => {
      if (!admitted) return undefined
      this.#lastAccess.touch(live.record.id)
      return { kind: 'token', address, token: live.record, user }
    })
  }
}

/** Whether the type of a caller's user is enough for a row, and the token's scopes name it; no token is enough for a local one. */
export function mayCall({ user, token }: TokenCaller, { name, access }: Method): boolean {
  return access !== 'local' && RANK[user.type] >= RANK[access] && allows(token.scopes, name)
}

/** RFC 6750 section 3.1. */
function insufficient({ user }: TokenCaller, { name, access }: Method): Failure {
  const ranks = access !== 'local' && RANK[user.type] >= RANK[access]
  return new Failure(
    'forbidden',
    ranks
      ? `The scopes of this token do not name ${name}.`
      : `This takes the token of a user of type ${access}.`,
    { headers: { 'WWW-Authenticate': 'Bearer realm="postern", error="insufficient_scope"' } },
  )
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
