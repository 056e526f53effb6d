import type { Clock } from '../store/clock.ts'
import { actorOf } from './actor.ts'
import type { LocalCaller } from './caller.ts'
import type { Ledger } from './ledger.ts'
import type { MintWish } from './operators.ts'

/** Of what was asked for in vain, a line shows so much; and in a minute there are so many lines (pitfall 27). */
const SHOWN_SCOPES = 4
const LINES_A_MINUTE = 60

/** The record of operators who asked for more than their rule allows. */
export class WishRefusals {
  readonly #ledger: Ledger
  readonly #clock: Clock
  #began = Number.NEGATIVE_INFINITY
  #count = 0

  constructor(ledger: Ledger, clock: Clock) {
    this.#ledger = ledger
    this.#clock = clock
  }

  async record({ ttl, userid, scopes }: MintWish, caller: LocalCaller): Promise<void> {
    if (!this.#hasRoom()) return
    const { rule } = caller.grant
    const asked = { ttl, userid, scopes: scopes?.slice(0, SHOWN_SCOPES) }
    await this.#ledger.commit({
      steps: [],
      audit: [{ event: 'token.refuse', by: actorOf(caller), rule, asked }],
    })
  }

  #hasRoom(): boolean {
    const now = this.#clock.now()
    if (now - this.#began >= 60_000) {
      this.#began = now
      this.#count = 0
    }
    return ++this.#count <= LINES_A_MINUTE
  }
}
