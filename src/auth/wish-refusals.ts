import type { Clock } from '../store/clock.ts'
import { actorOf } from './actor.ts'
import type { LocalCaller } from './caller.ts'
import type { Ledger } from './ledger.ts'
import { LineCap } from './line-cap.ts'
import type { MintWish } from './operators.ts'

/** Of what was asked for in vain, a line shows so much. */
const SHOWN_SCOPES = 4

/** The record of operators who asked for more than their rule allows. */
export class WishRefusals {
  readonly #ledger: Ledger
  readonly #cap: LineCap

  constructor(ledger: Ledger, clock: Clock) {
    this.#ledger = ledger
    this.#cap = new LineCap(clock)
  }

  async record({ ttl, userid, scopes }: MintWish, caller: LocalCaller): Promise<void> {
    if (!this.#cap.take()) return
    const { rule } = caller.grant
    const asked = { ttl, userid, scopes: scopes?.slice(0, SHOWN_SCOPES) }
    await this.#ledger.commit({
      steps: [],
      audit: [{ event: 'token.refuse', by: actorOf(caller), rule, asked }],
    })
  }
}
