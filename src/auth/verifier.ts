import { after, type Maybe } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { Entry, Feed, Store } from '../store/store.ts'
import { isJwtShaped, type SignIn } from './jwt/sign-in.ts'
import { storeFailure } from './ledger.ts'
import { type Live, liveRecordOf, recalled, type Verified } from './live.ts'
import { Recent } from './recent.ts'
import { decodeSignal, type LiveRecord, secretKey } from './records.ts'
import { isSecretShaped, isSecretSized, type Pepper } from './secret.ts'
import { type Obstacle, obstacle } from './standing.ts'
import { parseToken } from './token-steps.ts'
import type { Users } from './users.ts'

interface Load {
  readonly found: Promise<Live | undefined>
  /** Set by a signal. */
  overtaken: boolean
}

/**
 * Verification: from a secret's text to the live token it belongs to. Zero store reads for a cached token, one otherwise,
 * and never a write. Expiry and the owner's state are compared at every use; only the record is cached.
 */
export class Verifier implements Feed {
  readonly #store: Store
  readonly #pepper: Pepper
  readonly #clock: Clock
  readonly #users: Users
  readonly #signIn: SignIn | undefined
  readonly #cache: Recent<Live>
  /** Reads under way, of stores that take their time: one for each token, however many ask. */
  readonly #loads = new Map<string, Load>()

  /** `signIn`: for signed tokens; left out, none is accepted. */
  constructor(parts: {
    store: Store
    pepper: Pepper
    clock: Clock
    users: Users
    cacheSize: number
    signIn?: SignIn
  }) {
    this.#signIn = parts.signIn
    this.#store = parts.store
    this.#pepper = parts.pepper
    this.#clock = parts.clock
    this.#users = parts.users
    this.#cache = new Recent(parts.cacheSize, (live) => {
      live.stale = true
    })
    parts.store.subscribe(this)
  }

  /** The same for what is only asked about: nobody is signed in by it. */
  look(secret: string): Maybe<Verified | undefined> {
    if (this.#signIn !== undefined && isJwtShaped(secret)) return this.#signIn.verify(secret, false)
    return this.verify(secret)
  }

  /** Undefined for whatever is not a live token: unknown, expired, disabled, revoked and garbage look alike. Throws `unavailable`. */
  verify(secret: string): Maybe<Verified | undefined> {
    if (this.#signIn !== undefined && isJwtShaped(secret)) return this.#signIn.verify(secret)
    this.#store.refresh()
    return after(this.#find(secret), (live) => live && this.#verdict(live))
  }

  /** What became of a token that was found before: the same question, whether its record has changed since or not. */
  again(live: Live): Maybe<Verified | undefined> {
    if (live.signed !== undefined) return this.#signIn?.again(live)
    this.#store.refresh()
    return live.stale ? after(this.#load(live.hash), (now) => now && this.#verdict(now)) : this.#verdict(live)
  }

  /** What stands against a secret that is not accepted, where it belongs to a token that is still there. */
  refusal(secret: string): Maybe<{ readonly record: LiveRecord; readonly obstacle: Obstacle } | undefined> {
    this.#store.refresh()
    return after(this.#find(secret), (live) => {
      const found = live && this.obstacle(live)
      return found && { record: live.record, obstacle: found }
    })
  }

  #find(secret: string): Maybe<Live | undefined> {
    if (!isSecretSized(secret)) return undefined
    const hash = this.#pepper.hash(secret)
    return this.#cache.get(hash) ?? (isSecretShaped(secret) ? this.#load(hash) : undefined)
  }

  /** The same question for a token found before; cheap enough for every message of a connection. */
  check(live: Live): Verified | undefined {
    if (live.signed !== undefined) return this.#signIn?.check(live)
    this.#store.refresh()
    return recalled(live) && this.#verdict(live)
  }

  /** By what was found just now: a signal that comes in between is about what is acknowledged later than the question. */
  #verdict(live: Live): Verified | undefined {
    const user = this.#users.find(live.record.user)
    const isGood = user && obstacle(live.record, live.hash, user, this.#clock.now()) === undefined
    return isGood ? { live, user } : undefined
  }

  /** What stands against one that was found, as it was then. */
  obstacle(live: Live): Obstacle | undefined {
    if (live.signed !== undefined) return this.#signIn?.obstacle(live)
    const { record, hash } = live
    return obstacle(record, hash, this.#users.find(record.user), this.#clock.now())
  }

  #load(hash: string): Maybe<Live | undefined> {
    const under = this.#loads.get(hash)
    if (under !== undefined) return under.found
    const entry = this.#read(secretKey(hash))
    if (!(entry instanceof Promise)) return this.#remember(hash, entry)
    const found = entry
      .finally(() => this.#loads.delete(hash))
      // What was read before a signal about it may be what the signal is about.
      .then((read) => (load.overtaken ? this.#load(hash) : this.#remember(hash, read)))
    const load: Load = { found, overtaken: false }
    this.#loads.set(hash, load)
    return found
  }

  #remember(hash: string, entry: Entry | undefined): Live | undefined {
    if (entry === undefined) return undefined
    const live: Live = {
      record: liveRecordOf(parseToken(entry), hash),
      hash,
      version: entry.version,
      stale: false,
      used: false,
      access: undefined,
    }
    this.#cache.set(hash, live)
    return live
  }

  #read(key: string): Maybe<Entry | undefined> {
    try {
      const entry = this.#store.get(key)
      return entry instanceof Promise ? entry.catch(refuse) : entry
    } catch (error) {
      return refuse(error)
    }
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    if (signal.kind !== 'token') return // the owner is asked for at every use
    for (const hash of signal.hashes) {
      this.#cache.delete(hash)
      const load = this.#loads.get(hash)
      if (load !== undefined) load.overtaken = true
    }
  }

  reset(): void {
    this.#cache.clear()
    for (const load of this.#loads.values()) load.overtaken = true
  }
}

function refuse(error: unknown): never {
  throw storeFailure(error)
}
