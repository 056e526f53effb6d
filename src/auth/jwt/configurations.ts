import { Failure } from '../../protocol/failures.ts'
import type { Clock } from '../../store/clock.ts'
import { type Feed, prefixed, type Store } from '../../store/store.ts'
import { actorOf } from '../actor.ts'
import type { TokenCaller } from '../caller.ts'
import { grounded, groundOf } from '../ground.ts'
import type { Ledger } from '../ledger.ts'
import { configurationKey, decodeSignal, jwtSignal } from '../records.ts'
import { refusedObject } from '../tokens.ts'
import { type Algorithm, type Configuration, type Draft, isShared, MASK, readDraft } from './configuration.ts'
import { importPublic, type Key, refuseKey } from './keys.ts'
import type { Seal } from './seal.ts'

/** All of them may have to be tried with each JWT that is shown. */
const MOST = 100
/** Bytes of a shared secret below which it can be guessed (RFC 7518 section 3.2). */
export const STRONG_BYTES = 32
/** After a read that failed, in milliseconds. */
const RETRY_MS = 1_000

export interface Saved {
  /** What is unwise about it. */
  readonly warning?: string
}

/** The outside systems we have agreed with. Few: all are in memory, and follow the store's signals. */
export class Configurations implements Feed {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #seal: Seal
  readonly #byName = new Map<string, Configuration>()
  /** Signals about them so far. */
  #changes = 0
  readonly #keys = new Map<string, { sealed: string | null; algorithm: Algorithm; key: Key }>()

  constructor(parts: { store: Store; ledger: Ledger; clock: Clock; seal: Seal }) {
    this.#store = parts.store
    this.#ledger = parts.ledger
    this.#clock = parts.clock
    this.#seal = parts.seal
  }

  async open(): Promise<this> {
    this.#store.subscribe(this)
    await this.#read()
    return this
  }

  find(name: string): Configuration | undefined {
    this.#store.refresh()
    return this.#byName.get(name)
  }

  all(): readonly Configuration[] {
    this.#store.refresh()
    return [...this.#byName.values()]
  }

  /** Undefined: none was ever given. Throws where the pepper is another one. */
  secretOf({ name, secret }: Configuration): string | undefined {
    return secret === null ? undefined : this.#seal.open(secret, name)
  }

  /** What its tokens are verified with, parsed once; undefined: no secret was ever given. */
  async keyOf(configuration: Configuration): Promise<Key | undefined> {
    const { name, secret: sealed, algorithm } = configuration
    const kept = this.#keys.get(name)
    if (kept !== undefined && kept.sealed === sealed && kept.algorithm === algorithm) return kept.key
    const secret = this.secretOf(configuration)
    if (secret === undefined) return undefined
    const key = await importPublic(secret, algorithm)
    this.#keys.set(name, { sealed, algorithm, key })
    return key
  }

  /** A new one, or another in the place of the one with that name; a secret that is left out stays. Throws `invalid_params`, `limited`. */
  async save(draft: Draft, caller: TokenCaller): Promise<Saved> {
    const { settings, secret } = readDraft(draft)
    const { name, algorithm } = settings
    const parts = { store: this.#store, clock: this.#clock }
    if (secret !== undefined && !isShared(algorithm)) await importPublic(secret, algorithm).catch(refuseKey)
    await this.#ledger.decide(async () => {
      const entry = await this.#store.get(configurationKey(name))
      const before = entry && (JSON.parse(entry.value) as Configuration)
      if (before === undefined && this.#byName.size >= MOST)
        throw new Failure(
          'limited',
          `There are ${MOST} configurations at most: delete one that is not needed.`,
        )
      if (before !== undefined && secret === undefined) await this.#refuseMisfit(before, algorithm)
      const now = this.#clock.now()
      const configuration: Configuration = {
        ...settings,
        secret: secret === undefined ? (before?.secret ?? null) : this.#seal.close(secret, name),
        createdDate: before?.createdDate ?? now,
        lastModifiedDate: now,
        creatorId: before?.creatorId ?? caller.user.id,
      }
      if (configuration.enable === '1' && configuration.secret === null)
        throw new Failure(
          'invalid_params',
          'Without a secret it cannot accept tokens: send one, or enable "0".',
        )
      const committed = await this.#ledger.commit({
        steps: grounded(
          [
            {
              key: configurationKey(name),
              expect: entry?.version ?? 0,
              write: JSON.stringify(configuration),
            },
          ],
          (await groundOf(caller, parts)).steps,
        ),
        audit: [{ event: 'jwt.configure', by: actorOf(caller), name, algorithm, enable: settings.enable }],
        signals: [jwtSignal({ name, configuration })],
      })
      return committed ? true : undefined
    })
    const isWeak = isShared(algorithm) && secret !== undefined && Buffer.byteLength(secret) < STRONG_BYTES
    return isWeak ? { warning: WEAK } : {}
  }

  /** A secret that stays has to go with the new algorithm. */
  async #refuseMisfit(before: Configuration, algorithm: Algorithm): Promise<void> {
    if (isShared(before.algorithm) !== isShared(algorithm))
      throw new Failure('invalid_params', 'Another kind of algorithm takes another secret: send it as well.')
    const stored = this.secretOf(before)
    if (stored !== undefined) await importPublic(stored, algorithm).catch(refuseKey)
  }

  /** Its tokens are dead with it. Throws `refused_object`. */
  remove(names: readonly string[], caller: TokenCaller): Promise<true> {
    const unique = [...new Set(names)]
    const parts = { store: this.#store, clock: this.#clock }
    return this.#ledger.decide(async () => {
      const entries = await Promise.all(unique.map((name) => this.#store.get(configurationKey(name))))
      if (entries.some((entry) => entry === undefined)) throw refusedObject()
      const committed = await this.#ledger.commit({
        steps: grounded(
          unique.map((name, at) => ({
            key: configurationKey(name),
            expect: entries[at]?.version ?? 0,
            write: null,
          })),
          (await groundOf(caller, parts)).steps,
        ),
        audit: unique.map((name) => ({ event: 'jwt.delete', by: actorOf(caller), name })),
        signals: unique.map((name) => jwtSignal({ name, configuration: null })),
      })
      return committed ? true : undefined
    })
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    if (signal.kind !== 'jwt') return
    this.#changes++
    this.#keys.delete(signal.name)
    if (signal.configuration === null) this.#byName.delete(signal.name)
    else this.#byName.set(signal.name, signal.configuration)
  }

  reset(): void {
    this.#read().catch(() => setTimeout(() => this.reset(), RETRY_MS).unref())
  }

  async #read(): Promise<void> {
    const before = this.#changes
    const entries = await this.#store.scan({ ...prefixed('j/'), limit: MOST })
    if (this.#changes !== before) return this.#read() // what was read may be what a signal was about
    this.#byName.clear()
    for (const { value } of entries) {
      const configuration = JSON.parse(value) as Configuration
      this.#byName.set(configuration.name, configuration)
    }
  }
}

const WEAK = `The secret is shorter than ${STRONG_BYTES} bytes: whoever sees one token can guess it, and sign anybody. Use a longer one.`

/** As it is told: the secret never leaves. */
export function masked(configuration: Configuration): object {
  return { ...configuration, secret: MASK }
}
