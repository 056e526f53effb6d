import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../store/clock.ts'
import { type Entry, orderedNumber, type Store } from '../store/store.ts'
import { describeToken, type Ledger } from './ledger.ts'
import { DAEMON, sweptFrom } from './records.ts'
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
    if (entry === undefined || sweptFrom(parseToken(entry)) !== Number(end)) {
      return this.#ledger.commit({ steps: [{ key: due.key, expect: due.version, write: null }], audit: [] })
    }
    const audit = [describeToken('token.sweep', DAEMON, parseToken(entry))]
    return this.#ledger.commit({ steps: erasure(entry), audit })
  }
}
