import type { Clock } from '../store/clock.ts'

/** So many lines of a kind in the audit log in a minute: what strangers or refused operators cause must not fill it (pitfall 27). */
const LINES_A_MINUTE = 60

export class LineCap {
  readonly #clock: Clock
  #began = Number.NEGATIVE_INFINITY
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes the room for one line, if there is any. */
  take(): boolean {
    const now = this.#clock.now()
    if (now - this.#began >= 60_000) {
      this.#began = now
      this.#count = 0
    }
    return ++this.#count <= LINES_A_MINUTE
  }
}
