import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { Clock } from '../store/clock.ts'
import { atMost } from './at-most.ts'
import { describeToken, type Ledger } from './ledger.ts'
import { LineCap } from './line-cap.ts'
import { DAEMON, type TokenRecord } from './records.ts'

/** One line for a token and an address in so long, of so many at most: who uses an old secret does so again and again. */
const QUIET_MS = 60 * 60 * 1000
const MOST = 10_000

/** The record of secrets that are used after their rotation's grace: somebody was forgotten, or has found an old one. */
export class LateUses {
  readonly #ledger: Ledger
  readonly #cap: LineCap
  readonly #log: Logger
  readonly #told = new LRUCache<string, true>({ ...atMost(MOST), ttl: QUIET_MS })

  constructor(ledger: Ledger, clock: Clock, log: Logger) {
    this.#ledger = ledger
    this.#cap = new LineCap(clock)
    this.#log = log
  }

  /** Nobody waits for it: whoever sent the secret is refused at once. */
  record(record: TokenRecord, address: string): void {
    const place = `${record.id} ${address}`
    if (this.#told.has(place) || !this.#cap.take()) return
    this.#told.set(place, true)
    const since = record.retiring?.until
    const audit = [describeToken('token.late_use', DAEMON, record, { address, since })]
    this.#ledger
      .commit({ steps: [], audit })
      .catch((err: unknown) =>
        this.#log.warn({ err, token: record.id, address }, 'a late use was not recorded'),
      )
  }
}
