import { Buckets } from '../auth/buckets.ts'
import type { Peer } from '../auth/caller.ts'
import type { Rate } from '../auth/limits.ts'
import { tooMany } from '../protocol/failures.ts'
import { senderOf } from './neighbourhood.ts'
import type { Origin } from './origin.ts'

/**
 * Counts credentials that belong to no token, by who sent them. Beyond the limit the answer is 429 instead of 401. A token
 * that is valid passes always: else whoever shares an address with a guesser could be locked out by them (pitfall 26).
 */
export class CredentialFailures {
  readonly #rate: (door: Peer['door']) => Rate | undefined
  readonly #buckets = new Buckets()

  constructor(rate: (door: Peer['door']) => Rate | undefined) {
    this.#rate = rate
  }

  /** Throws `limited`. */
  count(origin: Origin): void {
    const rate = this.#rate(origin.connection.peer.door)
    refuse(rate && this.#buckets.take(senderOf(origin), rate))
  }

  /** Throws `limited` where there were too many already; counts nothing. */
  refuse(origin: Origin): void {
    const rate = this.#rate(origin.connection.peer.door)
    refuse(rate && this.#buckets.wait(senderOf(origin), rate))
  }
}

/** `wait`: seconds, if there were too many. */
function refuse(wait: number | undefined): void {
  if (wait === undefined) return
  throw tooMany('Too many tokens from your address were unknown: mint another, and try again later.', wait)
}
