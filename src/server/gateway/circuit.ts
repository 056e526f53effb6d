import { Failure } from '../../protocol/failures.ts'

/** So many failures in a row open it, for so long at first and at most, in milliseconds. */
const FAILURES = 5
const SHORTEST_MS = 500
const LONGEST_MS = 15_000

/** Spares an upstream that is down, and its callers the waiting: while it is open, calls are refused at once; then one tries. */
export class Circuit {
  #failures = 0
  #restsUntil = 0
  #trying = false

  /** Whether this call is the one that tries. Throws `upstream` for the others while it is open. */
  enter(): boolean {
    if (this.#failures < FAILURES) return false
    if (performance.now() < this.#restsUntil || this.#trying)
      throw new Failure('upstream', 'The service behind this method is down: try again in some seconds.')
    this.#trying = true
    return true
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES
  }

  succeeded(): void {
    this.#failures = 0
    this.#trying = false
  }

  failed(trial: boolean): void {
    this.#failures++
    if (trial) this.#trying = false
    const beyond = Math.max(0, this.#failures - FAILURES)
    this.#restsUntil = performance.now() + Math.min(LONGEST_MS, SHORTEST_MS * 2 ** Math.min(beyond, 10))
  }

  /** A call that was given up by its caller says nothing about the upstream. */
  abandoned(trial: boolean): void {
    if (trial) this.#trying = false
  }
}
