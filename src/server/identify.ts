import { describePeer } from '../auth/actor.ts'
import type { Admission } from '../auth/admission.ts'
import { type Caller, type LocalCaller, RANK, type TokenCaller } from '../auth/caller.ts'
import { isJwtShaped, type SignIn } from '../auth/jwt/sign-in.ts'
import type { LastAccess } from '../auth/last-access.ts'
import type { LateUses } from '../auth/late-uses.ts'
import type { Verified } from '../auth/live.ts'
import type { Operators } from '../auth/operators.ts'
import { allows } from '../auth/scopes.ts'
import { endOfSecret } from '../auth/standing.ts'
import type { Verifier } from '../auth/verifier.ts'
import type { Method } from '../methods/method.ts'
import { Failure } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { CredentialFailures } from './credential-failures.ts'
import type { Current } from './limits.ts'
import { whyNotLocal } from './local.ts'
import type { Connection, Origin } from './origin.ts'
import type { RefusalLog } from './refusal-log.ts'

/** From origin and credential to a caller who may call the row, or a refusal. Done for every call anew. */
export class Identification {
  readonly #clock: Clock
  readonly #verifier: Verifier
  readonly #lastAccess: LastAccess
  readonly #admission: Admission
  readonly #operators: Current<Operators>
  readonly #refusals: RefusalLog
  readonly #failures: CredentialFailures
  readonly #lateUses: Pick<LateUses, 'record'>
  readonly #signIn: SignIn
  readonly #warnBefore: Current<number>

  constructor(parts: {
    clock: Clock
    verifier: Verifier
    lastAccess: LastAccess
    admission: Admission
    operators: Current<Operators>
    refusals: RefusalLog
    failures: CredentialFailures
    lateUses: Pick<LateUses, 'record'>
    signIn: SignIn
    /** Milliseconds: replies to tokens that end sooner say so. */
    warnBefore: Current<number>
  }) {
    this.#clock = parts.clock
    this.#verifier = parts.verifier
    this.#lastAccess = parts.lastAccess
    this.#admission = parts.admission
    this.#operators = parts.operators
    this.#refusals = parts.refusals
    this.#failures = parts.failures
    this.#lateUses = parts.lateUses
    this.#signIn = parts.signIn
    this.#warnBefore = parts.warnBefore
  }

  /** `token`: the call's own `Token` member. Throws `unauthenticated`, `forbidden`, `unavailable`. */
  admit(row: Method, origin: Origin, token: string | undefined): Maybe<Caller> {
    return row.access === 'local' ? this.vouch(origin) : this.#bearer(row, origin, token)
  }

  /** Throws `forbidden` where the kernel does not vouch for who is asking. */
  vouch(origin: Origin): LocalCaller {
    const { peer } = origin.connection
    const reason = whyNotLocal(peer, origin.claims)
    if (reason !== undefined) throw this.#refuse(origin, { reason })
    const operators = this.#operators()
    const grant = operators.grantTo(peer)
    if (grant === undefined) throw this.#refuse(origin, operators.explain(peer))
    origin.connection.known = true
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
    return after(this.#verify(origin, credential), (verified) => {
      if (verified === undefined) return this.#refuseCredential(origin, credential)
      connection.memo = { credential, live: verified.live }
      return this.#admit(verified, origin)
    })
  }

  /** One more call of a caller who was identified for a call before it, in the same request. */
  again({ live, user }: TokenCaller, origin: Origin): Maybe<TokenCaller | undefined> {
    return this.#admit({ live, user }, origin)
  }

  /** Whose credential it is, without using it: for a connection on which the calls will be. */
  look(origin: Origin, credential: string): Maybe<Verified | undefined> {
    return after(this.#verify(origin, credential), (verified) => {
      if (verified === undefined) return this.#refuseCredential(origin, credential)
      return after(this.#admission.obstacle(verified.live.record, origin.address), (obstacle) =>
        obstacle === undefined ? verified : undefined,
      )
    })
  }

  /** To verify a signature takes a while: whoever has sent too many that were none waits, unless it is known already. */
  #verify(origin: Origin, credential: string): Maybe<Verified | undefined> {
    const isCostly = isJwtShaped(credential) && !this.#signIn.knows(credential)
    if (!isCostly) return this.#verifier.verify(credential)
    return after(this.#failures.refuse(origin), () => this.#verifier.verify(credential))
  }

  /** Throws `limited` where there were too many of them. */
  countFailure(origin: Origin): Maybe<void> {
    return this.#failures.count(origin)
  }

  #admit({ live, user }: Verified, origin: Origin): Maybe<TokenCaller | undefined> {
    const { address, outlet, connection: line } = origin
    return after(this.#admission.use(live, address), (admitted) => {
      if (!admitted) return undefined
      line.known = true
      const now = this.#clock.now()
      if (live.signed === undefined) this.#lastAccess.touch(live, now)
      else this.#signIn.touch(live)
      const ends = endOfSecret(live.record, live.hash)
      if (ends !== null) this.#warn(origin, ends - now)
      return { kind: 'token', address, live, token: live.record, user, at: now, outlet, line }
    })
  }

  /** The earliest of them, where a request has several. `left`: milliseconds. */
  #warn(origin: Origin, left: number): void {
    if (left < this.#warnBefore() && left < (origin.expiresIn ?? left + 1)) origin.expiresIn = left
  }

  #refuseCredential(origin: Origin, credential: string): Maybe<undefined> {
    return after(this.#verifier.refusal(credential), (refusal) => {
      if (refusal?.obstacle === 'rotated') this.#lateUses.record(refusal.record, origin.address)
      if (refusal !== undefined) return undefined
      return after(this.countFailure(origin), () => undefined) // no secret of ours: it may be a guess
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
