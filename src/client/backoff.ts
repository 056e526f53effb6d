/** Milliseconds: the first pause, and the longest. */
const FIRST = 100
const LONGEST = 10_000

/** Pauses between attempts that double, each cut by up to a half at random, so that not all clients come back at once. */
export class Backoff {
  #attempts = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  get isWaiting(): boolean {
    return this.#timer !== undefined
  }

  /** Does it after the next pause. */
  schedule(attempt: () => void): void {
    const pause = Math.min(FIRST * 2 ** this.#attempts, LONGEST)
    this.#attempts++
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        attempt()
      },
      pause * (1 - Math.random() / 2),
    )
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** All is well: the next pause is the first one again. */
  reset(): void {
    this.#attempts = 0
  }
}
