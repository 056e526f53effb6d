import { randomUUID } from 'node:crypto'
import { Failure } from '../../protocol/failures.ts'
import type { Clock } from '../../store/clock.ts'
import { pages } from '../../store/pages.ts'
import { type Entry, type Feed, prefixed, type Step, type Store } from '../../store/store.ts'
import type { AccessBoard } from '../access-board.ts'
import { actorOf } from '../actor.ts'
import type { TokenCaller } from '../caller.ts'
import { grounded, groundOf } from '../ground.ts'
import type { Ledger } from '../ledger.ts'
import { decodeSignal, personalKey, personalOwnerKey, personalSignal } from '../records.ts'
import { refusedObject } from '../tokens.ts'
import { type Configuration, isShared } from './configuration.ts'
import type { Configurations } from './configurations.ts'
import type { Issuer } from './issuer.ts'
import { importPrivate } from './keys.ts'
import { type PersonalRecord, type PersonalRequest, parsePersonal, statusOf } from './personal-record.ts'
import { PersonalUses } from './personal-uses.ts'

const DEFAULT_LABEL = 'AI client'
/** Kept after their end, in milliseconds. */
const KEPT_MS = 90 * 86_400_000
/** Of one user. */
const MOST = 1_000
const PAGE = 100

interface Parts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  readonly configurations: Configurations
  readonly issuer: Issuer
  /** What other threads have seen and not written yet. */
  readonly board?: AccessBoard | undefined
}

/** Tokens that users sign for themselves, by way of a configuration that allows it. */
export class PersonalTokens implements Feed {
  readonly #parts: Parts
  readonly #store: Store
  readonly #ledger: Ledger
  /** Those that are known to be revoked. */
  readonly #revoked = new Set<string>()
  readonly #uses: PersonalUses

  constructor(parts: Parts) {
    this.#parts = parts
    this.#store = parts.store
    this.#ledger = parts.ledger
    this.#uses = new PersonalUses(parts)
    parts.store.subscribe(this)
  }

  /** The configurations from which one may be had. */
  offers(): readonly Configuration[] {
    const all = this.#parts.configurations.all()
    return all.filter(
      ({ self_service, enable, algorithm }) => self_service === '1' && enable === '1' && isShared(algorithm),
    )
  }

  /** Throws `invalid_params`, `limited`, `refused_object`. */
  async issue({ name, label = DEFAULT_LABEL, expire }: PersonalRequest, caller: TokenCaller) {
    const { configurations, issuer } = this.#parts
    const configuration = this.#offer(name)
    const { fieldmap, algorithm, expire: most } = configuration
    const secret = configurations.secretOf(configuration)
    if (secret === undefined) throw refusedObject()
    const now = issuer.now()
    const lifetime = Math.min(expire ?? most, most, issuer.secondsLeft(caller))
    const { id: user, username } = caller.user
    const [jti, issued_at, expires_at] = [randomUUID(), now * 1000, (now + lifetime) * 1000]
    const config = configuration.name
    const record: PersonalRecord = {
      jti,
      user,
      label,
      config,
      issued_at,
      expires_at,
      revoked_at: null,
      last_used_at: null,
    }
    const key = await importPrivate(secret, algorithm)
    const claims = { [fieldmap.username]: username }
    const token = await issuer.sign(key, algorithm, claims, now + lifetime, jti)
    await this.#ledger.decide(async () => {
      await this.#refuseMore(user)
      const steps: Step[] = [
        { key: personalKey(jti), expect: 0, write: JSON.stringify(record) },
        { key: personalOwnerKey(user, jti), write: '' },
      ]
      const audit = {
        event: 'jwt.personal',
        by: actorOf(caller),
        name: config,
        user,
        jti,
        label,
        expire: lifetime,
      } as const
      const committed = await this.#ledger.commit({
        steps: grounded(steps, (await groundOf(caller, this.#parts)).steps),
        audit: [audit],
      })
      return committed ? true : undefined
    })
    return { token, jti, label, expire: lifetime, issued_at, expires_at, username, name: config }
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

  async #refuseMore(user: string): Promise<void> {
    const kept = await this.#store.scan({ ...prefixed(`p/${user}/`), limit: MOST })
    if (kept.length < MOST) return
    throw new Failure(
      'limited',
      `You have ${MOST} personal tokens: the old ones are forgotten 90 days after their end.`,
    )
  }

  /** The newest first. */
  async list(user: string): Promise<object[]> {
    const now = this.#parts.clock.now()
    const index = await this.#store.scan({ ...prefixed(`p/${user}/`), limit: MOST })
    const entries = await Promise.all(
      index.map(({ key }) => this.#store.get(personalKey(key.slice(key.lastIndexOf('/') + 1)))),
    )
    const records = entries.filter((entry) => entry !== undefined).map(parsePersonal)
    records.sort((one, other) => other.issued_at - one.issued_at || (other.jti < one.jti ? -1 : 1))
    return records.map(({ user: _, ...record }) => {
      const seen = this.#uses.read(record.jti)
      return { ...record, last_used_at: seen ?? record.last_used_at, status: statusOf(record, now) }
    })
  }

  /** One's own, or anybody's for a superadmin. `held`: the caller has shown it, and so may end it. Throws `refused_object`. */
  async revoke(jti: string, caller: TokenCaller, held = false): Promise<void> {
    await this.#ledger.decide(async () => {
      const entry = await this.#store.get(personalKey(jti))
      const record = entry && parsePersonal(entry)
      const permitted = held || record?.user === caller.user.id || caller.user.type === 'superadmin'
      if (entry === undefined || record === undefined || !permitted) throw refusedObject()
      if (record.revoked_at !== null) return true
      const write = JSON.stringify({ ...record, revoked_at: this.#parts.clock.now() })
      const { user, config: name } = record
      const committed = await this.#ledger.commit({
        steps: grounded(
          [{ key: entry.key, expect: entry.version, write }],
          (await groundOf(caller, this.#parts)).steps,
        ),
        audit: [{ event: 'jwt.revoke', by: actorOf(caller), user, jti, name }],
        signals: [personalSignal(jti)],
      })
      return committed ? true : undefined
    })
  }

  /** Ends those of a user (undefined: all) that were issued before, in milliseconds since 1970. The caller's own is left: it goes last. */
  async revokeAll(
    user: string | undefined,
    before: number,
    caller: TokenCaller,
  ): Promise<{ count: number; own: string | undefined }> {
    let count = 0
    let own: string | undefined
    for await (const page of this.#pages()) {
      const records = page.map(parsePersonal)
      const meant = records.filter((one) => {
        const isLive = one.revoked_at === null && one.expires_at > this.#parts.clock.now()
        return isLive && one.issued_at < before && (user === undefined || one.user === user)
      })
      const ids = meant.map(({ jti }) => jti)
      const others = ids.filter((jti) => jti !== caller.live.signed?.jti)
      if (others.length < ids.length) own = caller.live.signed?.jti
      await Promise.all(others.map((jti) => this.revoke(jti, caller)))
      count += others.length
    }
    return { count, own }
  }

  /** What was recorded of one that we issued; looked up once where it is revoked: from then on signals tell. */
  async recordOf(jti: string): Promise<PersonalRecord | undefined> {
    const entry = await this.#store.get(personalKey(jti))
    const record = entry && parsePersonal(entry)
    if (record !== undefined && record.revoked_at !== null) this.#revoked.add(jti)
    return record
  }

  isRevoked(jti: string): boolean {
    return this.#revoked.has(jti)
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    if (signal.kind === 'personal') this.#revoked.add(signal.jti)
  }

  /** What is revoked stays so; the others are looked up anew, since nothing that was verified is kept. */
  reset(): void {}

  touch(jti: string): void {
    this.#uses.touch(jti)
  }

  /** Writes when they were used last. Rejects when that cannot be written; it is kept for the next time. */
  flush(): Promise<void> {
    return this.#uses.flush()
  }

  /** Forgets those that ended long ago. */
  async sweep(): Promise<void> {
    const before = this.#parts.clock.believed() - KEPT_MS
    for await (const page of this.#pages()) {
      for (const entry of page) {
        const { jti, user, expires_at } = parsePersonal(entry)
        if (expires_at >= before) continue
        const steps = [
          { key: entry.key, expect: entry.version, write: null },
          { key: personalOwnerKey(user, jti), write: null },
        ]
        if (await this.#ledger.commit({ steps, audit: [] })) this.#revoked.delete(jti)
      }
    }
  }

  #pages(): AsyncGenerator<Entry[]> {
    return pages(this.#store, { ...prefixed('J/'), limit: PAGE })
  }
}
