import type { Logger } from 'pino'

/** So many lines in so many milliseconds; the rest is counted and summed up in one line. */
const MOST_LINES = 20
const WINDOW_MS = 10_000

/** What strangers are refused: to mint, to call without a token that is valid, to call what theirs does not allow, to connect. */
export type RefusalKind = 'mint' | 'token' | 'call' | 'connection'

/** The log of what strangers cause, which they must not be able to fill (pitfall 27). */
export class RefusalLog {
  readonly #log: Logger
  readonly #most: number
  #began = Number.NEGATIVE_INFINITY
  #written = 0
  #left = 0
  readonly #counts = new Map<RefusalKind, number>()

  /** `sharers`: how many write into the same log. */
  constructor(log: Logger, sharers = 1) {
    this.#log = log
    this.#most = Math.ceil(MOST_LINES / sharers)
  }

  /** Counts and says nothing: refusals that are everyday. */
  count(kind: RefusalKind): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  /** What another thread has counted. */
  add(counts: Partial<Record<RefusalKind, number>>): void {
    for (const [kind, count] of Object.entries(counts) as [RefusalKind, number][])
      this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count)
  }

  /** How many there were since this was asked last. */
  take(): Partial<Record<RefusalKind, number>> {
    const counts = Object.fromEntries(this.#counts)
    this.#counts.clear()
    return counts
  }

  warn(kind: RefusalKind, details: object, message: string): void {
    this.count(kind)
    if (performance.now() - this.#began >= WINDOW_MS) this.#begin()
    if (this.#written < this.#most) {
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
