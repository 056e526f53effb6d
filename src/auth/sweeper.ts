import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../store/clock.ts'
import { type Entry, orderedNumber, type Step, type Store } from '../store/store.ts'
import type { Ledger } from './ledger.ts'
import { endKey, endOf, lastAccessKey, nameKey, ownerKey, secretKey, type TokenRecord } from './records.ts'

/** Tokens removed between two turns of the event loop. */
const CHUNK = 100

/**
 * Removes what Auth.CreateApiToken minted, some time after its end. It only tidies up: an expired token is refused by
 * comparison, whether it was swept or not. Every removal expects the record's version, so that a token changed in the
 * meantime survives; and it goes by the time that is believed for good, so that a leap of the clock sweeps nothing.
 */
export class Sweeper {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock

  constructor(store: Store, ledger: Ledger, clock: Clock) {
    this.#store = store
    this.#ledger = ledger
    this.#clock = clock
  }

  /** Removes all that ended more than `retainMs` ago, until `stop` is aborted. Returns how many. */
  async sweep(retainMs: number, stop: AbortSignal): Promise<number> {
    const lt = `x/${orderedNumber(Math.max(0, this.#clock.believed() - retainMs))}`
    let removed = 0
    // Each scan starts behind the last key seen: going over deleted keys again is what makes LevelDB slow.
    for (let gte = 'x/'; ; ) {
      const due = await this.#store.scan({ gte, lt, limit: CHUNK })
      removed += (await Promise.all(due.map((entry) => this.#remove(entry)))).filter(Boolean).length
      const last = due.at(-1)
      if (last === undefined || due.length < CHUNK || stop.aborted) return removed
      gte = `${last.key}\0`
      await nextTurn()
    }
  }

  async #remove(due: Entry): Promise<boolean> {
    const [, end, id] = due.key.split('/')
    const entry = await this.#store.get(`t/${id}`)
    const record = entry === undefined ? undefined : (JSON.parse(entry.value) as TokenRecord)
    const index: Step = { key: due.key, expect: due.version, write: null }
    if (entry === undefined || record === undefined || endOf(record) !== Number(end)) {
      return this.#ledger.commit({ steps: [index], audit: [] })
    }
    const audit = {
      event: 'token.sweep',
      by: { kind: 'daemon' },
      token: record.id,
      name: record.name,
    } as const
    return this.#ledger.commit({ steps: await this.#removal(entry, record), audit: [audit] })
  }

  async #removal(entry: Entry, record: TokenRecord): Promise<Step[]> {
    const { id, user, name, hashes } = record
    const end = endOf(record)
    const steps: Step[] = [
      { key: entry.key, expect: entry.version, write: null },
      { key: ownerKey(user, id), write: null },
      { key: lastAccessKey(id), write: null },
    ]
    if (end !== null) steps.push({ key: endKey(end, id), write: null })
    for (const hash of hashes) steps.push({ key: secretKey(hash), write: null })
    // A revoked token has given up its name, and another may have it by now.
    const named = record.revoked === null ? await this.#store.get(nameKey(user, name)) : undefined
    if (named?.value === id) steps.push({ key: named.key, expect: named.version, write: null })
    return steps
  }
}
