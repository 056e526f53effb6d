import { Buckets, type RateKeeper } from '../auth/buckets.ts'
import type { Peer } from '../auth/caller.ts'
import type { Rate } from '../auth/limits.ts'
import { tooMany } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import { senderOf } from './neighbourhood.ts'
import type { Origin } from './origin.ts'

/**
 * Counts credentials that belong to no token, by who sent them. Beyond the limit the answer is 429 instead of 401. A token
 * that is valid passes always: else whoever shares an address with a guesser could be locked out by them (pitfall 26).
 */
export class CredentialFailures {
  readonly #rate: (door: Peer['door']) => Rate | undefined
  readonly #keeper: RateKeeper

  constructor(rate: (door: Peer['door']) => Rate | undefined, keeper: RateKeeper = new Buckets()) {
    this.#rate = rate
    this.#keeper = keeper
  }

  /** Throws `limited`. */
  count(origin: Origin): Maybe<void> {
    const rate = this.#rate(origin.connection.peer.door)
    return after(rate && this.#keeper.take(senderOf(origin), rate), refuse)
  }

  /** Throws `limited` where there were too many already; counts nothing. */
  refuse(origin: Origin): Maybe<void> {
    const rate = this.#rate(origin.connection.peer.door)
    return after(rate && this.#keeper.wait(senderOf(origin), rate), refuse)
  }
}

/** `wait`: seconds, if there were too many. */
function refuse(wait: number | undefined): void {
  if (wait === undefined) return
  throw tooMany('Too many tokens from your address were unknown: mint another, and try again later.', wait)
}
