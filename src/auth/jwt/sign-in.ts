import { hash } from 'node:crypto'
import type { Clock } from '../../store/clock.ts'
import type { Feed, Store } from '../../store/store.ts'
import type { Enlistment } from '../enlistment.ts'
import { type Live, recalled, type SignedClaims, type Verified } from '../live.ts'
import { Recent } from '../recent.ts'
import { decodeSignal, type TokenRecord, type UserRecord } from '../records.ts'
import { ALL_METHODS } from '../scopes.ts'
import type { Obstacle } from '../standing.ts'
import type { Users } from '../users.ts'
import { type SettledClaims, settleClaims } from './claims.ts'
import { basisOf, type Configuration, ROLES } from './configuration.ts'
import type { Configurations } from './configurations.ts'
import type { PersonalTokens } from './personal-tokens.ts'

const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]+$/
/** Characters; more than this no client sends. */
const LONGEST = 8_192
/** Verified ones kept in memory. */
const CACHED = 10_000

export function isJwtShaped(credential: string): boolean {
  return credential.includes('.') && credential.length <= LONGEST && SHAPE.test(credential)
}

/**
 * Base64url leaves bits over at its end. With others than zeros in them the same signature has as many as sixteen spellings
 * (RFC 4648 section 3.5), and a token would be accepted as texts that nobody has signed.
 */
function isSpelledOnce(token: string): boolean {
  const signature = token.slice(token.lastIndexOf('.') + 1)
  return Buffer.from(signature, 'base64url').toString('base64url') === signature
}

/** Sign-in with a JWT that an outside system, or we ourselves, have signed: from its text to its user. */
export class SignIn implements Feed {
  readonly #store: Store
  readonly #configurations: Configurations
  readonly #personal: PersonalTokens
  readonly #users: Users
  readonly #enlistment: Enlistment
  readonly #clock: Clock
  readonly #cache: Recent<Live>

  constructor(parts: {
    store: Store
    configurations: Configurations
    personal: PersonalTokens
    users: Users
    enlistment: Enlistment
    clock: Clock
  }) {
    this.#store = parts.store
    this.#configurations = parts.configurations
    this.#personal = parts.personal
    this.#users = parts.users
    this.#enlistment = parts.enlistment
    this.#clock = parts.clock
    this.#cache = new Recent(CACHED, (live) => {
      live.stale = true
    })
    parts.store.subscribe(this)
  }

  /**
   * Undefined for whatever is not a live one. `enlists`: whether somebody who is not known yet is signed in by it, where
   * that was agreed; to be asked about is no sign-in. Throws `unavailable`.
   */
  async verify(token: string, enlists = true): Promise<Verified | undefined> {
    const key = hash('sha256', token, 'base64url')
    this.#store.refresh()
    const known = this.#cache.get(key)
    if (known !== undefined) return this.#verdict(known)
    if (!isSpelledOnce(token)) return undefined
    for (const configuration of this.#configurations.all()) {
      const claims = await this.#claimsOf(token, configuration)
      const live = claims && (await this.#liveOf(claims, key, configuration, enlists))
      if (live === undefined) continue
      this.#cache.set(key, live)
      // What was read before a signal may be what the signal is about.
      if (this.#configurations.find(configuration.name) !== configuration) this.#cache.delete(key)
      return this.#verdict(live)
    }
    return undefined
  }

  /** Whether it was verified before: then it costs nothing to verify it again. */
  knows(token: string): boolean {
    return this.#cache.has(hash('sha256', token, 'base64url'))
  }

  /** The same question for one that was found before. */
  check(live: Live): Verified | undefined {
    this.#store.refresh()
    return recalled(live) && this.#verdict(live)
  }

  /** By what was found just now, though a signal may have come in between. */
  #verdict(live: Live): Verified | undefined {
    const user = this.#users.find(live.record.user)
    return user !== undefined && this.obstacle(live) === undefined ? { live, user } : undefined
  }

  /** The same, whether a signal was about it since or not. */
  async again(live: Live): Promise<Verified | undefined> {
    this.#store.refresh()
    if (live.stale && live.signed?.jti !== undefined) await this.#personal.recordOf(live.signed.jti)
    return this.#verdict(live)
  }

  /** It was accepted. */
  touch({ signed }: Live): void {
    if (signed?.jti !== undefined) this.#personal.touch(signed.jti)
  }

  /** What stands against one that was verified; undefined: nothing. */
  obstacle({ record, signed }: Live): Obstacle | undefined {
    const user = this.#users.find(record.user)
    const configuration = this.#configurations.find(signed?.configuration ?? '')
    if (configuration === undefined) return 'deleted'
    if (configuration.enable !== '1') return 'disabled'
    if (basisOf(configuration) !== signed?.basis) return 'replaced'
    if (signed?.jti !== undefined && this.#personal.isRevoked(signed.jti)) return 'revoked'
    if (user === undefined || user.username !== signed?.username) return 'owner_deleted'
    if (user.status !== 'enabled') return 'owner_disabled'
    return record.expires !== null && this.#clock.now() >= record.expires ? 'expired' : undefined
  }

  async #claimsOf(token: string, configuration: Configuration): Promise<SettledClaims | undefined> {
    const { enable, algorithm, fieldmap } = configuration
    if (enable !== '1') return undefined
    const { decodeProtectedHeader, decodeJwt, jwtVerify } = await import('jose')
    try {
      // A look before the work: the header decides nothing, jwtVerify() holds it against the configuration (pitfall 17).
      if (decodeProtectedHeader(token).alg !== algorithm) return undefined
      if (typeof decodeJwt(token)[fieldmap.username] !== 'string') return undefined
      const key = await this.#configurations.keyOf(configuration)
      if (key === undefined) return undefined
      const currentDate = new Date(this.#clock.now())
      const options = { algorithms: [algorithm], currentDate, requiredClaims: ['exp'] }
      return settleClaims((await jwtVerify(token, key, options)).payload, configuration)
    } catch (error) {
      if (isRefusal(error)) return undefined
      throw error
    }
  }

  async #liveOf(
    { username, name, jti, expires, issued }: SettledClaims,
    key: string,
    configuration: Configuration,
    enlists: boolean,
  ): Promise<Live | undefined> {
    const personal = jti === undefined ? undefined : await this.#personal.recordOf(jti)
    const found = await this.#users.findByName(username)
    // One that we have issued is its user's, whoever has that name now; and nobody is made by it.
    if (personal !== undefined && found?.id !== personal.user) return undefined
    const user = found ?? (enlists ? await this.#enlist(username, name, configuration) : undefined)
    if (user === undefined) return undefined
    const signed = { configuration: configuration.name, username, jti, basis: basisOf(configuration) }
    const now = this.#clock.now()
    const record = recordOf(signed, key, user, Math.min(issued ?? now, now), expires)
    return { record, hash: key, version: 0, stale: false, used: false, access: undefined, signed }
  }

  /** At the first sign-in of somebody who is not known, where that was agreed. */
  async #enlist(
    username: string,
    name: string | undefined,
    { inituser, initroles }: Configuration,
  ): Promise<UserRecord | undefined> {
    if (inituser !== '1') return undefined
    const type = ROLES[initroles] ?? 'user'
    return this.#users.find(
      await this.#enlistment.enlist({ username, type, ...(name !== undefined && { name }) }),
    )
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    if (signal.kind === 'jwt')
      this.reset() // few, and seldom: any of them may have rested on it
    else if (signal.kind === 'personal') this.#drop(({ signed }) => signed?.jti === signal.jti)
    else if (signal.kind === 'user') this.#drop(({ record }) => record.user === signal.id)
  }

  #drop(about: (live: Live) => boolean): void {
    for (const [key, live] of this.#cache.entries()) if (about(live)) this.#cache.delete(key)
  }

  reset(): void {
    this.#cache.clear()
  }
}

/** For everything behind this, a signed token is like any other: it may do what its user may, until it ends. */
function recordOf(
  { configuration, username, jti }: SignedClaims,
  hash: string,
  user: UserRecord,
  created: number,
  expires: number,
): TokenRecord {
  const name = `jwt:${encodeURIComponent(configuration)}`
  const whose = `${name}:${encodeURIComponent(username)}`
  return {
    id: jti === undefined ? whose : `${whose}:${encodeURIComponent(jti)}`,
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
