import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../store/clock.ts'
import type { Feed, Store } from '../../store/store.ts'
import type { Enlistment } from '../enlistment.ts'
import type { Live, SignedClaims, Verified } from '../live.ts'
import { decodeSignal, type TokenRecord, type UserRecord } from '../records.ts'
import { ALL_METHODS } from '../scopes.ts'
import type { Obstacle } from '../standing.ts'
import type { Users } from '../users.ts'
import { type Configuration, ROLES } from './configuration.ts'
import type { Configurations } from './configurations.ts'
import { importPublic } from './keys.ts'
import type { PersonalTokens } from './personal-tokens.ts'

const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]+$/
/** Characters; more than this no client sends. */
const LONGEST = 8_192
/** Verified ones kept in memory. */
const CACHED = 10_000
const LONGEST_USERNAME = 100
/** Unix seconds: the end of the year 9999. */
const LATEST = 253_402_300_799

export function isJwtShaped(credential: string): boolean {
  return credential.length <= LONGEST && SHAPE.test(credential)
}

/** Sign-in with a JWT that an outside system, or we ourselves, have signed: from its text to its user. */
export class SignIn implements Feed {
  readonly #configurations: Configurations
  readonly #personal: PersonalTokens
  readonly #users: Users
  readonly #enlistment: Enlistment
  readonly #clock: Clock
  readonly #cache: LRUCache<string, Live>

  constructor(parts: {
    store: Store
    configurations: Configurations
    personal: PersonalTokens
    users: Users
    enlistment: Enlistment
    clock: Clock
  }) {
    this.#configurations = parts.configurations
    this.#personal = parts.personal
    this.#users = parts.users
    this.#enlistment = parts.enlistment
    this.#clock = parts.clock
    this.#cache = new LRUCache({
      max: CACHED,
      dispose: (live) => {
        live.stale = true
      },
    })
    parts.store.subscribe(this)
  }

  /** Undefined for whatever is not a live one. Throws `unavailable`. */
  async verify(token: string): Promise<Verified | undefined> {
    const key = hash('sha256', token, 'base64url')
    const known = this.#cache.get(key)
    if (known !== undefined) return this.check(known)
    for (const configuration of this.#configurations.all()) {
      const live = await this.#tryOne(token, key, configuration)
      if (live === undefined) continue
      this.#cache.set(key, live)
      // What was read before a signal may be what the signal is about.
      if (this.#configurations.find(configuration.name) !== configuration) this.#cache.delete(key)
      return this.check(live)
    }
    return undefined
  }

  /** The same question for one that was found before. */
  check(live: Live): Verified | undefined {
    const user = this.#users.find(live.record.user)
    if (live.stale || this.obstacle(live) !== undefined || user === undefined) return undefined
    return { live, user }
  }

  /** The same, whether a signal was about it since or not. */
  async again(live: Live): Promise<Verified | undefined> {
    const { user: id } = live.record
    if (live.stale && live.signed?.jti !== undefined) await this.#personal.load(id, live.signed.jti)
    const user = this.#users.find(id)
    return user !== undefined && this.obstacle(live) === undefined ? { live, user } : undefined
  }

  /** It was accepted. */
  touch({ record, signed }: Live): void {
    if (signed?.jti !== undefined) this.#personal.touch(record.user, signed.jti)
  }

  /** What stands against one that was verified; undefined: nothing. */
  obstacle({ record, signed }: Live): Obstacle | undefined {
    const user = this.#users.find(record.user)
    const configuration = this.#configurations.find(signed?.configuration ?? '')
    if (configuration === undefined) return 'deleted'
    if (configuration.enable !== '1') return 'disabled'
    if (basisOf(configuration) !== signed?.basis) return 'replaced'
    if (signed?.jti !== undefined && this.#personal.isRevoked(record.user, signed.jti)) return 'revoked'
    if (user === undefined || user.username !== signed?.username) return 'owner_deleted'
    if (user.status !== 'enabled') return 'owner_disabled'
    return record.expires !== null && this.#clock.now() >= record.expires ? 'expired' : undefined
  }

  async #tryOne(token: string, key: string, configuration: Configuration): Promise<Live | undefined> {
    const { enable, algorithm, fieldmap } = configuration
    if (enable !== '1') return undefined
    const { decodeProtectedHeader, decodeJwt, jwtVerify } = await import('jose')
    try {
      // A look before the work: the header decides nothing, jwtVerify() holds it against the configuration (pitfall 17).
      if (decodeProtectedHeader(token).alg !== algorithm) return undefined
      if (typeof decodeJwt(token)[fieldmap.username] !== 'string') return undefined
      const secret = this.#configurations.secretOf(configuration)
      if (secret === undefined) return undefined
      const { payload } = await jwtVerify(token, await importPublic(secret, algorithm), {
        algorithms: [algorithm],
        currentDate: new Date(this.#clock.now()),
        requiredClaims: ['exp'],
      })
      return await this.#liveOf(payload, key, configuration)
    } catch (error) {
      if (isRefusal(error)) return undefined
      throw error
    }
  }

  async #liveOf(
    payload: Readonly<Record<string, unknown>>,
    key: string,
    configuration: Configuration,
  ): Promise<Live | undefined> {
    const { exp, iat, jti } = payload as { exp: number; iat?: number; jti?: string }
    const username = payload[configuration.fieldmap.username] as string
    const user =
      (await this.#users.findByName(username)) ?? (await this.#enlist(username, configuration, payload))
    if (user === undefined) return undefined
    if (jti !== undefined) await this.#personal.load(user.id, jti)
    if (!Number.isFinite(exp) || exp > LATEST) return undefined
    const signed = { configuration: configuration.name, username, jti, basis: basisOf(configuration) }
    const now = this.#clock.now()
    const created = iat === undefined ? now : Math.min(iat * 1000, now)
    return {
      record: recordOf(signed, key, user, created, exp * 1000),
      hash: key,
      version: 0,
      stale: false,
      signed,
    }
  }

  /** At the first sign-in of somebody who is not known, where that was agreed. */
  async #enlist(
    username: string,
    { inituser, initroles, fieldmap }: Configuration,
    payload: Readonly<Record<string, unknown>>,
  ): Promise<UserRecord | undefined> {
    if (inituser !== '1' || username === '' || username.length > LONGEST_USERNAME) return undefined
    const name = fieldmap.name === undefined ? undefined : payload[fieldmap.name]
    const type = ROLES[initroles] ?? 'user'
    const id = await this.#enlistment.enlist({
      username,
      type,
      ...(typeof name === 'string' && name.length <= LONGEST_USERNAME && { name }),
    })
    return this.#users.find(id)
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    if (signal.kind === 'jwt')
      this.reset() // few, and seldom: any of them may have rested on it
    else if (signal.kind === 'personal') this.#drop(({ signed }) => signed?.jti === signal.jti)
    else if (signal.kind === 'user') this.#drop(({ record }) => record.user === signal.id)
  }

  #drop(about: (live: Live) => boolean): void {
    for (const [key, live] of this.#cache) if (about(live)) this.#cache.delete(key)
  }

  reset(): void {
    this.#cache.clear()
  }
}

function basisOf({ algorithm, secret, fieldmap }: Configuration): string {
  return `${algorithm} ${fieldmap.username} ${secret}`
}

/** For everything behind this, a signed token is like any other: it may do what its user may, until it ends. */
function recordOf(
  { configuration, username, jti }: SignedClaims,
  hash: string,
  user: UserRecord,
  created: number,
  expires: number,
): TokenRecord {
  const name = `jwt:${configuration}`
  return {
    id: jti === undefined ? `${name}:${username}` : `${name}:${username}:${jti}`,
    name,
    description: '',
    user: user.id,
    creator: user.id,
    source: 'create',
    status: 'enabled',
    scopes: ALL_METHODS,
    created,
    expires,
    expiresAt: Math.floor(expires / 1000) - 1,
    mintedBy: null,
    hashes: [hash],
    revoked: null,
  }
}

/** jose's own errors, and keys or claims that make no sense; what is wrong with the store is none of them. */
function isRefusal(error: unknown): boolean {
  const { code, name } = error as { code?: unknown; name?: string }
  const isJose = typeof code === 'string' && code.startsWith('ERR_J')
  return isJose || name === 'TypeError' || name === 'RangeError' || name === 'SyntaxError'
}
