/** What is to be done when nobody waits any more. */
export type OnEnd = (reason: unknown) => void

/**
 * How long a call's answer is waited for: until its time is over, its caller has gone, or may not have it any more. What
 * an AbortSignal is for; but making one, listening to it and leaving it took a tenth of a call's whole way (measured).
 */
export class Patience {
  #reason: unknown
  readonly #listeners = new Set<OnEnd>()

  /** Why it has ended; undefined as long as it has not. */
  get reason(): unknown {
    return this.#reason
  }

  /** The first reason stays. */
  end(reason: unknown): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    for (const listener of this.#listeners) listener(reason)
    this.#listeners.clear()
  }

  /** Called once, and at once where it has ended already. */
  onEnd(listener: OnEnd): void {
    if (this.#reason === undefined) this.#listeners.add(listener)
    else listener(this.#reason)
  }

  off(listener: OnEnd): void {
    this.#listeners.delete(listener)
  }

  throwIfOver(): void {
    if (this.#reason !== undefined) throw this.#reason
  }
}
