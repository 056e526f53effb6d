import { randomUUID } from 'node:crypto'
import { Failure } from '../../protocol/failures.ts'
import type { Clock } from '../../store/clock.ts'
import { type Entry, type Feed, prefixed, type Store } from '../../store/store.ts'
import { actorOf } from '../actor.ts'
import type { TokenCaller } from '../caller.ts'
import type { Ledger } from '../ledger.ts'
import { decodeSignal, personalKey, personalSignal } from '../records.ts'
import { refusedObject } from '../tokens.ts'
import type { Configuration } from './configuration.ts'
import type { Configurations } from './configurations.ts'
import type { Issuer } from './issuer.ts'
import { importPrivate } from './keys.ts'

/** What is kept of a personal token: never the token. Times are milliseconds since 1970. */
export interface PersonalToken {
  readonly jti: string
  readonly user: string
  readonly label: string
  readonly config: string
  readonly issued_at: number
  readonly expires_at: number
  readonly revoked_at: number | null
  readonly last_used_at: number | null
}

export interface PersonalRequest {
  /** The configuration; the only one there is where left out. */
  readonly name?: string | undefined
  readonly label?: string | undefined
  /** Seconds; the configuration's where left out, and at most. */
  readonly expire?: number | undefined
}

const DEFAULT_LABEL = 'AI client'
/** Kept after their end, in milliseconds. */
const KEPT_MS = 90 * 86_400_000
/** Of one user. */
const MOST = 1_000

/** Tokens that users sign for themselves, by way of a configuration that allows it. */
export class PersonalTokens implements Feed {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #configurations: Configurations
  readonly #issuer: Issuer
  /** Ids of revoked ones that were asked for. */
  readonly #revoked = new Set<string>()
  #used = new Map<string, { user: string; jti: string; at: number }>()

  constructor(parts: {
    store: Store
    ledger: Ledger
    clock: Clock
    configurations: Configurations
    issuer: Issuer
  }) {
    this.#store = parts.store
    this.#ledger = parts.ledger
    this.#clock = parts.clock
    this.#configurations = parts.configurations
    this.#issuer = parts.issuer
    parts.store.subscribe(this)
  }

  /** The configurations from which one may be had. */
  offers(): readonly Configuration[] {
    return this.#configurations.all().filter((one) => one.self_service === '1' && one.enable === '1')
  }

  /** Throws `invalid_params`, `limited`, `refused_object`. */
  async issue({ name, label = DEFAULT_LABEL, expire }: PersonalRequest, caller: TokenCaller) {
    const configuration = this.#offer(name)
    const { fieldmap, algorithm, expire: most } = configuration
    const secret = this.#configurations.secretOf(configuration)
    if (secret === undefined) throw refusedObject()
    const kept = await this.#of(caller.user.id)
    if (kept.length >= MOST)
      throw new Failure(
        'limited',
        `You have ${MOST} personal tokens: revoke some, and wait until they are swept.`,
      )
    const lifetime = Math.min(expire ?? most, most, this.#issuer.secondsLeft(caller))
    const now = this.#issuer.now()
    const { id: user, username } = caller.user
    const record: PersonalToken = {
      jti: randomUUID(),
      user,
      label,
      config: configuration.name,
      issued_at: now * 1000,
      expires_at: (now + lifetime) * 1000,
      revoked_at: null,
      last_used_at: null,
    }
    const { jti } = record
    const key = await importPrivate(secret, algorithm)
    const token = await this.#issuer.sign(
      key,
      algorithm,
      { [fieldmap.username]: username },
      now + lifetime,
      jti,
    )
    await this.#ledger.commit({
      steps: [{ key: personalKey(user, jti), expect: 0, write: JSON.stringify(record) }],
      audit: [
        {
          event: 'jwt.personal',
          by: actorOf(caller),
          name: configuration.name,
          user,
          jti,
          label,
          expire: lifetime,
        },
      ],
    })
    const { issued_at, expires_at } = record
    return { token, jti, label, expire: lifetime, issued_at, expires_at, username, name: configuration.name }
  }

  #offer(name: string | undefined): Configuration {
    const offers = this.offers()
    const found = name === undefined ? offers[0] : offers.find((one) => one.name === name)
    if (found === undefined) throw refusedObject()
    if (name === undefined && offers.length > 1)
      throw new Failure(
        'invalid_params',
        `Say which: name is one of ${offers.map((one) => one.name).join(', ')}.`,
      )
    return found
  }

  /** The newest first. */
  async list({ user }: TokenCaller): Promise<object[]> {
    const now = this.#clock.now()
    const records = (await this.#of(user.id)).map(parse)
    records.sort((one, other) => other.issued_at - one.issued_at || (other.jti < one.jti ? -1 : 1))
    return records.map(({ user: _, ...record }) => {
      const last_used_at = this.#used.get(record.jti)?.at ?? record.last_used_at
      return { ...record, last_used_at, status: statusOf(record, now) }
    })
  }

  /** `user`: whose it is. Throws `refused_object`. */
  async revoke(user: string, jti: string, caller: TokenCaller): Promise<void> {
    await this.#ledger.decide(async () => {
      const entry = await this.#store.get(personalKey(user, jti))
      if (entry === undefined) throw refusedObject()
      const record = parse(entry)
      if (record.revoked_at !== null) return true
      const write = JSON.stringify({ ...record, revoked_at: this.#clock.now() })
      const committed = await this.#ledger.commit({
        steps: [{ key: entry.key, expect: entry.version, write }],
        audit: [{ event: 'jwt.revoke', by: actorOf(caller), user, jti, name: record.config }],
        signals: [personalSignal(user, jti)],
      })
      return committed ? true : undefined
    })
  }

  async knows(user: string, jti: string): Promise<boolean> {
    return (await this.#store.get(personalKey(user, jti))) !== undefined
  }

  /** Looks up once whether it is revoked; from then on signals tell. */
  async load(user: string, jti: string): Promise<void> {
    const entry = await this.#store.get(personalKey(user, jti))
    if (entry !== undefined && parse(entry).revoked_at !== null) this.#revoked.add(placeOf(user, jti))
  }

  isRevoked(user: string, jti: string): boolean {
    return this.#revoked.has(placeOf(user, jti))
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    if (signal.kind === 'personal') this.#revoked.add(placeOf(signal.user, signal.jti))
  }

  /** What is revoked stays so; others are looked up anew, since nothing that was verified is kept. */
  reset(): void {}

  touch(user: string, jti: string): void {
    this.#used.set(jti, { user, jti, at: this.#clock.now() })
  }

  /** Writes when they were used last. */
  async flush(): Promise<void> {
    const used = this.#used
    this.#used = new Map()
    for (const { user, jti, at } of used.values()) {
      const entry = await this.#store.get(personalKey(user, jti))
      if (entry === undefined) continue
      const write = JSON.stringify({ ...parse(entry), last_used_at: at })
      // Only if nobody has revoked it meanwhile: a use must never bring one back (pitfall 23).
      await this.#ledger.note([{ key: entry.key, expect: entry.version, write }])
    }
  }

  /** Forgets those that ended long ago. */
  async sweep(): Promise<void> {
    const before = this.#clock.believed() - KEPT_MS
    const range = prefixed('p/')
    for (let { gte } = range; ; ) {
      const page = await this.#store.scan({ gte, lt: range.lt, limit: 100 })
      const old = page.filter((entry) => parse(entry).expires_at < before)
      const steps = old.map(({ key, version }) => ({ key, expect: version, write: null }))
      if (steps.length > 0) await this.#ledger.commit({ steps, audit: [] })
      for (const { user, jti } of old.map(parse)) this.#revoked.delete(placeOf(user, jti))
      const last = page.at(-1)
      if (last === undefined || page.length < 100) return
      gte = `${last.key}\0`
    }
  }

  #of(user: string): Promise<Entry[]> {
    return this.#store.scan({ ...prefixed(`p/${user}/`), limit: MOST })
  }
}

function parse({ value }: Entry): PersonalToken {
  return JSON.parse(value) as PersonalToken
}

function placeOf(user: string, jti: string): string {
  return `${user}/${jti}`
}

function statusOf({ revoked_at, expires_at }: Pick<PersonalToken, 'revoked_at' | 'expires_at'>, now: number) {
  if (revoked_at !== null) return 'revoked'
  return now >= expires_at ? 'expired' : 'active'
}
