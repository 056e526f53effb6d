import { ClockOffset, type OffsetMemory } from './clock-offset.ts'

/** The two clocks of the machine, in milliseconds: the wall's, which may be set, and one that only goes forward. */
export interface TimeSource {
  wall(): number
  monotonic(): number
}

export const SYSTEM_TIME: TimeSource = { wall: () => Date.now(), monotonic: () => performance.now() }

/** When this thread's monotonic clock stood at zero, on the machine's own, which is one for all threads. */
export function monotonicOrigin(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6 - performance.now()
}

/** The clocks of the thread whose monotonic one began at `origin`, to be read in another one. */
export function timeOf(origin: number): TimeSource {
  const difference = monotonicOrigin() - origin
  return { wall: () => Date.now(), monotonic: () => performance.now() + difference }
}

/** A wall clock further ahead than this is not believed at once. */
const LEAP_MS = 24 * 60 * 60 * 1000
/** Where the mark is stored: the highest time that was believed, in milliseconds since 1970. */
export const CLOCK_MARK = 'm/clock'

/**
 * Now, which never goes back: max(wall clock, the stored mark + monotonic time since start). A clock set back must not
 * make dead tokens live again. A leap ahead of more than a day is compared with, so that nothing lives too long, but not
 * marked until it has lasted a day: one bogus leap would otherwise end every token for good.
 */
export class Clock {
  readonly #time: TimeSource
  readonly #onLeap: (aheadMs: number) => void
  readonly #offset: ClockOffset
  /** Monotonic time at which the present leap was first seen. */
  #leapSeen: number | undefined

  /**
   * `mark`: as stored, or undefined for a new store, which believes the wall clock. `shared`: with other threads; the first
   * of them goes by the mark, the others by what it believes.
   */
  constructor(
    mark: number | undefined,
    time: TimeSource,
    onLeap: (aheadMs: number) => void,
    shared?: OffsetMemory,
  ) {
    this.#time = time
    this.#onLeap = onLeap
    this.#offset = new ClockOffset((mark ?? time.wall()) - time.monotonic(), shared)
  }

  /** Milliseconds since 1970, for every comparison with an expiry. */
  now(): number {
    const monotonic = this.#time.monotonic()
    const wall = this.#time.wall()
    const offset = this.#offset.value
    const ahead = wall - monotonic - offset
    if (ahead <= 0) {
      this.#leapSeen = undefined
      return Math.floor(monotonic + offset)
    }
    if (ahead > LEAP_MS && !this.#hasLasted(monotonic, ahead)) return wall
    this.#offset.raise(offset + ahead)
    this.#leapSeen = undefined
    return wall
  }

  /** Whether a leap of `ahead` milliseconds has been seen for a day. */
  #hasLasted(monotonic: number, ahead: number): boolean {
    if (this.#leapSeen === undefined) {
      this.#leapSeen = monotonic
      this.#onLeap(ahead)
    }
    return monotonic - this.#leapSeen >= LEAP_MS
  }

  /** What the wall clock says, believed or not. */
  get wall(): number {
    return this.#time.wall()
  }

  /** Believes the wall clock, even if that is a step back: an operator has looked at it. Returns what was believed before. */
  reset(): number {
    const before = this.believed()
    this.#offset.set(this.#time.wall() - this.#time.monotonic())
    this.#leapSeen = undefined
    return before
  }

  /** What is believed for good: the mark to store, and the time the sweeper goes by. Behind now() only during a leap. */
  believed(): number {
    this.now()
    return Math.floor(this.#time.monotonic() + this.#offset.value)
  }
}
