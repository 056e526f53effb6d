import type { Clock } from '../store/clock.ts'
import { Pace } from '../store/pace.ts'
import { pages } from '../store/pages.ts'
import { type Entry, orderedNumber, type Store } from '../store/store.ts'
import { describeToken, type Ledger } from './ledger.ts'
import { DAEMON, recordKey, sweptFrom, tokenSignal } from './records.ts'
import { erasure, parseToken } from './token-steps.ts'

/** Ends that are looked up at a time, and tokens of one write: a call in between waits for no more of them. */
const PAGE = 50
const CHUNK = 5

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
    const pace = new Pace()
    let removed = 0
    for await (const due of pages(this.#store, { gte: 'x/', lt, limit: PAGE })) {
      for (let at = 0; at < due.length && !stop.aborted; at += CHUNK) {
        const chunk = due.slice(at, at + CHUNK)
        removed += (await Promise.all(chunk.map((entry) => this.#remove(entry)))).filter(Boolean).length
        await pace.breathe()
      }
      if (stop.aborted) break
    }
    return removed
  }

  async #remove(due: Entry): Promise<boolean> {
    const [, end] = due.key.split('/')
    const entry = await this.#store.get(recordKey(due.key))
    const record = entry && parseToken(entry)
    if (entry === undefined || record === undefined || sweptFrom(record) !== Number(end)) {
      return this.#ledger.commit({ steps: [{ key: due.key, expect: due.version, write: null }], audit: [] })
    }
    const audit = [describeToken('token.sweep', DAEMON, record)]
    // If the clock that says that it has ended is put back, whoever still knows it would accept it again.
    return this.#ledger.commit({ steps: erasure(entry), audit, signals: [tokenSignal(record)] })
  }
}
