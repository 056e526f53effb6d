import type { Clock } from '../store/clock.ts'
import { pages } from '../store/pages.ts'
import { type Entry, orderedNumber, type Store } from '../store/store.ts'
import { describeToken, type Ledger } from './ledger.ts'
import { DAEMON, recordKey, sweptFrom } from './records.ts'
import { erasure, parseToken } from './token-steps.ts'

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
    for await (const due of pages(this.#store, { gte: 'x/', lt, limit: CHUNK })) {
      removed += (await Promise.all(due.map((entry) => this.#remove(entry)))).filter(Boolean).length
      if (stop.aborted) break
    }
    return removed
  }

  async #remove(due: Entry): Promise<boolean> {
    const [, end] = due.key.split('/')
    const entry = await this.#store.get(recordKey(due.key))
    if (entry === undefined || sweptFrom(parseToken(entry)) !== Number(end)) {
      return this.#ledger.commit({ steps: [{ key: due.key, expect: due.version, write: null }], audit: [] })
    }
    const audit = [describeToken('token.sweep', DAEMON, parseToken(entry))]
    return this.#ledger.commit({ steps: erasure(entry), audit })
  }
}
