import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'

/** Work after which others have a turn, in milliseconds: so long a call may have to wait for it. */
const STEP_MS = 0.2
/** While others are served it rests so many times as long as it has worked. */
const RESTS = 4
/** But no longer, in milliseconds: a step may have waited for the disk. */
const LONGEST_REST_MS = 20
/** Others are served when the event loop was busy for more than this part of a rest. */
const BUSY = 0.05
/** Where nobody else is, it goes on for so long before it looks again, in milliseconds. */
const STRETCH_MS = 20

/**
 * For work that nobody waits for, or that somebody waits for while others have calls to make: what is done in small steps
 * leaves them most of the time, and takes all that they do not need.
 */
export class Pace {
  readonly #now: () => number
  #began: number
  #aloneUntil = 0

  /** `now`: in milliseconds, from any beginning. */
  constructor(now = () => performance.now()) {
    this.#now = now
    this.#began = now()
  }

  /** Between two steps. */
  async breathe(): Promise<void> {
    const now = this.#now()
    const worked = now - this.#began
    if (worked < STEP_MS) return
    if (now < this.#aloneUntil) await nextTurn()
    else await this.#rest(Math.min(RESTS * worked, LONGEST_REST_MS))
    this.#began = this.#now()
  }

  async #rest(milliseconds: number): Promise<void> {
    const before = performance.eventLoopUtilization()
    await pause(milliseconds)
    const { utilization } = performance.eventLoopUtilization(before)
    if (utilization < BUSY) this.#aloneUntil = this.#now() + STRETCH_MS
  }
}
