import type { Logger } from 'pino'
import type { Clock } from '../store/clock.ts'
import { describeToken, type Ledger } from './ledger.ts'
import { LineCap } from './line-cap.ts'
import { type Keepable, Recent } from './recent.ts'
import { DAEMON, type LiveRecord } from './records.ts'

/** One line for a token and an address in so long, of so many at most: who uses an old secret does so again and again. */
const QUIET_MS = 60 * 60 * 1000
const MOST = 10_000

interface Told extends Keepable {
  /** Of performance.now(). */
  readonly until: number
}

/** The record of secrets that are used after their rotation's grace: somebody was forgotten, or has found an old one. */
export class LateUses {
  readonly #ledger: Ledger
  readonly #cap: LineCap
  readonly #log: Logger
  readonly #told = new Recent<Told>(MOST)

  constructor(ledger: Ledger, clock: Clock, log: Logger) {
    this.#ledger = ledger
    this.#cap = new LineCap(clock)
    this.#log = log
  }

  /** Nobody waits for it: whoever sent the secret is refused at once. */
  record(record: LiveRecord, address: string): void {
    const place = `${record.id} ${address}`
    const now = performance.now()
    if (now < (this.#told.get(place)?.until ?? 0) || !this.#cap.take()) return
    this.#told.set(place, { used: false, until: now + QUIET_MS })
    const since = record.retiring?.until
    const audit = [describeToken('token.late_use', DAEMON, record, { address, since })]
    this.#ledger
      .commit({ steps: [], audit })
      .catch((err: unknown) =>
        this.#log.warn({ err, token: record.id, address }, 'a late use was not recorded'),
      )
  }
}
