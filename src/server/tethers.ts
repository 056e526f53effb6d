import { decodeSignal } from '../auth/records.ts'
import type { Verified, Verifier } from '../auth/verifier.ts'
import type { Clock } from '../store/clock.ts'
import type { Feed, Store } from '../store/store.ts'

/** Timers hold no more than 2^31-1 ms: a longer one would fire at once. */
const LONGEST_WAIT_MS = 60 * 60 * 1000

interface Tether {
  readonly credential: string
  readonly tokenId: string
  readonly userId: string
  readonly expires: number | null
  /** Called once, when the token no longer verifies. */
  readonly onEnd: () => void
}

/** Open connections and the tokens that opened them: when a token ends, whatever ended it, its connections are told. */
export class Tethers implements Feed {
  readonly #verifier: Verifier
  readonly #clock: Clock
  readonly #tethers = new Set<Tether>()
  #timer: NodeJS.Timeout | undefined
  #wakesAt = Number.POSITIVE_INFINITY

  constructor(store: Store, verifier: Verifier, clock: Clock) {
    this.#verifier = verifier
    this.#clock = clock
    store.subscribe(this)
  }

  /** Returns how to let go. */
  tie(credential: string, { live: { record } }: Verified, onEnd: () => void): () => void {
    const tether: Tether = {
      credential,
      tokenId: record.id,
      userId: record.user,
      expires: record.expires,
      onEnd,
    }
    this.#tethers.add(tether)
    this.#wakeAt(record.expires)
    return () => this.#tethers.delete(tether)
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    for (const tether of this.#tethers) {
      const about = signal.kind === 'token' ? tether.tokenId === signal.token : tether.userId === signal.id
      if (about) void this.#examine(tether)
    }
  }

  reset(): void {
    for (const tether of this.#tethers) void this.#examine(tether)
  }

  async #examine(tether: Tether): Promise<void> {
    // A store that cannot be read proves nothing; each message is identified anew anyway.
    try {
      if ((await this.#verifier.verify(tether.credential)) !== undefined) return
    } catch {
      return
    }
    if (this.#tethers.delete(tether)) tether.onEnd()
  }

  /** One timer for all: it wakes at the next expiry, and expiry itself is decided by comparison. */
  #wakeAt(expires: number | null): void {
    if (expires === null || expires >= this.#wakesAt) return
    this.#wakesAt = expires
    clearTimeout(this.#timer)
    const wait = Math.max(0, expires - this.#clock.now())
    this.#timer = setTimeout(() => this.#wake(), Math.min(wait + 1, LONGEST_WAIT_MS)).unref()
  }

  #wake(): void {
    const now = this.#clock.now()
    this.#wakesAt = Number.POSITIVE_INFINITY
    let next: number | null = null
    for (const tether of this.#tethers) {
      if (tether.expires === null) continue
      if (tether.expires <= now) void this.#examine(tether)
      else if (next === null || tether.expires < next) next = tether.expires
    }
    this.#wakeAt(next)
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
