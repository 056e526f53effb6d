import { Failure } from '../../protocol/failures.ts'
import type { Clock } from '../../store/clock.ts'
import type { Store } from '../../store/store.ts'
import { actorOf } from '../actor.ts'
import { RANK, type TokenCaller } from '../caller.ts'
import { groundOf } from '../ground.ts'
import type { Ledger } from '../ledger.ts'
import { endOfSecret } from '../standing.ts'
import type { Users } from '../users.ts'
import {
  type Algorithm,
  type Configuration,
  claimNamed,
  DEFAULT_EXPIRE,
  type FieldMap,
  isShared,
} from './configuration.ts'
import type { Configurations } from './configurations.ts'
import { importPrivate, type Key, refuseKey } from './keys.ts'

/** What a JWT is asked for with: Datafor's form. None of them is required by the form itself. */
export interface IssueRequest {
  readonly name?: string | undefined
  /** The shared secret, or the private key; the stored secret where it is left out. */
  readonly privateKey?: string | undefined
  readonly username?: string | undefined
  /** Values of the claims that the field map names, and more claims. */
  readonly payload?: Readonly<Record<string, unknown>> | undefined
}

export interface Issued {
  /** Seconds that it lives. */
  readonly expire: number
  readonly token: string
}

/** Claims that are ours to say. */
const OURS = new Set(['exp', 'nbf', 'iat', 'jti'])
const MOST_CLAIMS_BYTES = 4_096

/** Signs tokens for outside systems. */
export class Issuer {
  readonly #store: Store
  readonly #configurations: Configurations
  readonly #users: Users
  readonly #ledger: Ledger
  readonly #clock: Clock

  constructor(parts: {
    store: Store
    configurations: Configurations
    users: Users
    ledger: Ledger
    clock: Clock
  }) {
    this.#store = parts.store
    this.#configurations = parts.configurations
    this.#users = parts.users
    this.#ledger = parts.ledger
    this.#clock = parts.clock
  }

  /** For anybody whose type does not exceed the caller's. Throws `invalid_params`, `forbidden`. */
  async issue(
    { name, privateKey, username, payload = {} }: IssueRequest,
    caller: TokenCaller,
  ): Promise<Issued> {
    if (!name) throw new Failure('invalid_params', 'Invalid parameter "/name": it is missing.')
    const configuration = this.#configurations.find(name)
    const { algorithm, expire, fieldmap } = configuration ?? withoutAgreement(name)
    const { username: fromPayload, name: fullName, email, ...rest } = payload
    const subject = username ?? fromPayload
    if (typeof subject !== 'string' || subject === '')
      throw new Failure('invalid_params', 'Invalid parameter "/username": it is missing.')
    const user = await this.#users.findByName(subject)
    if (user !== undefined && RANK[user.type] > RANK[caller.user.type])
      throw new Failure('forbidden', 'That user may do more than you: nobody signs for somebody above.')
    const key = await this.#keyFor(configuration, algorithm, privateKey)
    // What a superadmin's token signs for others ends when the configuration says; a signed one signs nothing that outlives it.
    const lifetime = caller.live.signed === undefined ? expire : Math.min(expire, this.secondsLeft(caller))
    const claims = claimsFor(fieldmap, { username: subject, name: fullName, email }, rest)
    const token = await this.sign(key, algorithm, claims, this.now() + lifetime)
    const audit = [
      { event: 'jwt.issue' as const, by: actorOf(caller), name, username: subject, expire: lifetime },
    ]
    await this.#ledger.decide(async () => {
      const { steps } = await groundOf(caller, { store: this.#store, clock: this.#clock })
      return (await this.#ledger.commit({ steps, audit })) ? true : undefined
    })
    return { expire: lifetime, token }
  }

  /** Unix seconds. */
  now(): number {
    return Math.floor(this.#clock.now() / 1000)
  }

  /** What a token makes for its own user does not outlive it: else one that was stolen could be renewed for good. */
  secondsLeft({ live, token }: TokenCaller): number {
    const expires = endOfSecret(token, live.hash)
    if (expires === null) return Number.POSITIVE_INFINITY
    return Math.max(1, Math.floor(expires / 1000) - this.now())
  }

  /** Header and claims in this order; `exp` comes behind those that are given. */
  async sign(key: Key, algorithm: Algorithm, claims: Record<string, unknown>, exp: number, jti?: string) {
    const { SignJWT } = await import('jose')
    const signing = new SignJWT(claims)
      .setProtectedHeader({ typ: 'JWT', alg: algorithm })
      .setExpirationTime(exp)
    return (jti === undefined ? signing : signing.setJti(jti)).sign(key)
  }

  async #keyFor(
    configuration: Configuration | undefined,
    algorithm: Algorithm,
    given: string | undefined,
  ): Promise<Key> {
    const stored =
      configuration && isShared(algorithm) ? this.#configurations.secretOf(configuration) : undefined
    const text = given || stored
    if (text === undefined)
      throw new Failure(
        'invalid_params',
        'Invalid parameter "/privateKey": nothing is stored to sign with, so it is needed.',
      )
    return importPrivate(text, algorithm).catch(refuseKey)
  }
}

/** Where nothing was agreed. */
function withoutAgreement(name: string): Pick<Configuration, 'algorithm' | 'expire' | 'fieldmap'> {
  return { algorithm: 'HS256', expire: DEFAULT_EXPIRE, fieldmap: claimNamed(name) }
}

function claimsFor(
  map: FieldMap,
  who: { username: string; name: unknown; email: unknown },
  rest: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const mapped = new Set(Object.values(map))
  const more = Object.entries(rest).filter(([claim]) => !OURS.has(claim) && !mapped.has(claim))
  const claims = {
    [map.username]: who.username,
    ...(map.name !== undefined && who.name !== undefined && { [map.name]: who.name }),
    ...(map.email !== undefined && who.email !== undefined && { [map.email]: who.email }),
    ...Object.fromEntries(more),
  }
  if (Buffer.byteLength(JSON.stringify(claims)) <= MOST_CLAIMS_BYTES) return claims
  throw new Failure('invalid_params', `Invalid parameter "/payload": more than ${MOST_CLAIMS_BYTES} bytes.`)
}
