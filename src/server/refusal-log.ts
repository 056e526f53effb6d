import type { Logger } from 'pino'

/** So many lines in so many milliseconds; the rest is counted and summed up in one line. */
const MOST_LINES = 20
const WINDOW_MS = 10_000

/** The log of what strangers cause, which they must not be able to fill (pitfall 27). */
export class RefusalLog {
  readonly #log: Logger
  #began = Number.NEGATIVE_INFINITY
  #written = 0
  #left = 0

  constructor(log: Logger) {
    this.#log = log
  }

  warn(details: object, message: string): void {
    if (performance.now() - this.#began >= WINDOW_MS) this.#begin()
    if (this.#written < MOST_LINES) {
      this.#written++
      this.#log.warn({ event: 'refusal', ...details }, message)
      return
    }
    if (this.#left++ === 0) setTimeout(() => this.#begin(), WINDOW_MS).unref()
  }

  #begin(): void {
    if (this.#left > 0)
      this.#log.warn({ event: 'refusal', count: this.#left }, 'refusals left out of the log')
    this.#began = performance.now()
    this.#written = 0
    this.#left = 0
  }
}
