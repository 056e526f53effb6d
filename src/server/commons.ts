/**
 * What strangers may have while others are served, of the time that everything else takes. Reading what they send, and
 * writing what they are answered, costs once more what is measured here: together it is a fifth.
 */
const SHARE = 0.1
/** At least so many milliseconds in a turn of the event loop: those who come to mint are strangers at first. */
const LEAST_MS = 0.02
/** At most, and when nobody else is there. */
const MOST_MS = 5
/** What they may owe after a message that took long. Most that take longer do so because the whole machine stood still: that is not theirs to pay for. */
const MOST_DEBT_MS = 20
/** How long others count as being there after they were last served, in milliseconds. */
const MEMORY_MS = 50
/** Requests that may wait for their turn, spread evenly over the connections that have any. */
const MOST_WAITING = 8_192
const LEAST_WAITING = 4

/** A stranger's connection. */
export interface Guest {
  /** Whether a message of it waits for its turn. */
  queued: boolean
  /** Set when it is gone: nobody will read what has not been begun. */
  readonly closed: boolean
  /** HTTP requests that wait until it is less busy. */
  readonly waiting: (() => void)[]
  /** Called whenever it may be. */
  wake: () => void
}

/**
 * Where strangers are served: those on whose connection no valid token was shown yet, and nothing minted. However much they
 * send, others do not wait for more than their share: what does not fit into it waits, one message of each connection
 * after the other, so that nobody among the strangers waits for whoever sends the most.
 */
export class Commons {
  readonly #queue = new Map<Guest, () => void>()
  /** Milliseconds that strangers may still have. Below zero they owe: that is paid for first. */
  #credit = MOST_MS
  /** What they have had in this turn. */
  #spent = 0
  #began = 0
  #scheduled = false
  #othersCame = false
  #othersAt = Number.NEGATIVE_INFINITY

  /** Somebody else than a stranger is served. */
  pass(): void {
    this.#othersCame = true
  }

  /** Runs `work` at once, or in its turn; never, where the connection is gone by then. No more than one waits for each connection. */
  serve(guest: Guest, work: () => void): void {
    if (!this.#scheduled) this.#begin()
    if (this.#queue.size === 0 && this.#credit > 0) {
      this.#run(work)
      return
    }
    guest.queued = true
    this.#queue.set(guest, work)
  }

  /** The same for work with an outcome. */
  async ask<T>(guest: Guest, work: () => T): Promise<Awaited<T>> {
    return await new Promise<T>((resolve) => this.serve(guest, () => resolve(work())))
  }

  /** For what costs time elsewhere: milliseconds. */
  pay(cost: number): void {
    this.#credit = Math.max(-MOST_DEBT_MS, this.#credit - cost)
  }

  /** Whether a connection has so many requests waiting that it takes the room of others. */
  isCrowdedBy({ waiting }: Guest): boolean {
    return waiting.length >= Math.max(LEAST_WAITING, MOST_WAITING / Math.max(1, this.#queue.size))
  }

  #begin(): void {
    this.#began = performance.now()
    this.#schedule()
  }

  #schedule(): void {
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  /** The next turn: what it may cost is measured by what everything else has cost in this one. */
  #turn(): void {
    const now = performance.now()
    const others = now - this.#began - this.#spent
    if (this.#othersCame) this.#othersAt = now
    const isAlone = now - this.#othersAt > MEMORY_MS
    const earned = Math.max(LEAST_MS, SHARE * others)
    this.#credit = isAlone ? MOST_MS : Math.min(MOST_MS, this.#credit + earned)
    const wasQuiet = this.#spent === 0 && this.#queue.size === 0
    this.#began = now
    this.#spent = 0
    this.#othersCame = false
    for (const [guest, work] of this.#queue) {
      if (this.#credit <= 0) break
      this.#queue.delete(guest)
      guest.queued = false
      if (!guest.closed) this.#run(work)
      guest.wake()
    }
    if (wasQuiet) this.#scheduled = false
    else this.#schedule()
  }

  #run(work: () => void): void {
    const started = performance.now()
    work()
    const took = performance.now() - started
    this.#spent += took
    this.pay(took)
  }
}
