import { tooMany } from '../../protocol/failures.ts'
import type { Maybe } from '../../protocol/maybe.ts'
import type { Patience } from './patience.ts'

/** Calls that wait for a slot, for each slot that there is. */
const WAITING_PER_SLOT = 32

/** Who gives out slots: this thread, or another one that is asked. */
export interface SlotKeeper {
  take(patience: Patience): Maybe<void>
  give(): void
}

/** So many calls at a time; the others wait in their order, and a bounded number of them. */
export class Slots implements SlotKeeper {
  #free: number
  readonly #mostWaiting: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
    this.#mostWaiting = count * WAITING_PER_SLOT
  }

  /** Throws `limited` where too many wait; rejects with the reason for which patience ends. Give it back. */
  take(patience: Patience): Maybe<void> {
    patience.throwIfOver()
    if (this.#free > 0) {
      this.#free--
      return undefined
    }
    if (this.#waiting.size >= this.#mostWaiting) {
      throw tooMany('Too many calls wait for this service: try again later.', 1)
    }
    return new Promise<void>((resolve, reject) => {
      const mine = () => {
        patience.off(giveUp)
        resolve()
      }
      const giveUp = (reason: unknown) => {
        this.#waiting.delete(mine)
        reject(reason)
      }
      patience.onEnd(giveUp)
      this.#waiting.add(mine)
    })
  }

  give(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
