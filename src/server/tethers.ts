import type { Admission } from '../auth/admission.ts'
import { decodeSignal, type TokenRecord } from '../auth/records.ts'
import type { Verified, Verifier } from '../auth/verifier.ts'
import { after } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { Feed, Store } from '../store/store.ts'

/** Timers hold no more than 2^31-1 ms: a longer one would fire at once. */
const LONGEST_WAIT_MS = 60 * 60 * 1000

export interface TetherParts {
  readonly store: Store
  readonly verifier: Verifier
  readonly admission: Admission
  readonly clock: Clock
}

interface Tether {
  readonly credential: string
  readonly tokenId: string
  readonly userId: string
  /** When it may be over, by its end or by rest, as far as is known; null: not by time. */
  look: number | null
  /** Where the client is, which may not be where the token may be used from any more. */
  readonly address: string
  /** Called once, when the token no longer verifies. */
  readonly onEnd: () => void
}

/** Open connections and the tokens that opened them: when a token ends, whatever ended it, its connections are told. */
export class Tethers implements Feed {
  readonly #verifier: Verifier
  readonly #admission: Admission
  readonly #clock: Clock
  readonly #tethers = new Set<Tether>()
  #timer: NodeJS.Timeout | undefined
  #wakesAt = Number.POSITIVE_INFINITY

  constructor({ store, verifier, admission, clock }: TetherParts) {
    this.#verifier = verifier
    this.#admission = admission
    this.#clock = clock
    store.subscribe(this)
  }

  /** Returns how to let go. */
  tie(credential: string, { live: { record } }: Verified, address: string, onEnd: () => void): () => void {
    const tether: Tether = {
      credential,
      tokenId: record.id,
      userId: record.user,
      look: null,
      address,
      onEnd,
    }
    this.#tethers.add(tether)
    this.#lookAgain(tether, record)
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
      const verified = await this.#verifier.verify(tether.credential)
      if (verified !== undefined && (await this.#admission.allows(verified.live.record, tether.address)))
        return
    } catch {
      return
    }
    if (this.#tethers.delete(tether)) tether.onEnd()
  }

  /** One timer for all: it wakes at the next expiry, and expiry itself is decided by comparison. */
  #wakeAt(look: number | null): void {
    if (look === null || look >= this.#wakesAt) return
    this.#wakesAt = look
    clearTimeout(this.#timer)
    const wait = Math.max(0, look - this.#clock.now())
    this.#timer = setTimeout(() => this.#wake(), Math.min(wait + 1, LONGEST_WAIT_MS)).unref()
  }

  /** A use since the last look moves the end by rest further on. */
  #lookAgain(tether: Tether, record: TokenRecord): void {
    void after(this.#admission.restsUntil(record), (rested) => {
      const ends = [record.expires, rested].filter((end) => end !== null)
      tether.look = ends.length === 0 ? null : Math.min(...ends)
      this.#wakeAt(tether.look)
    })
  }

  #wake(): void {
    const now = this.#clock.now()
    this.#wakesAt = Number.POSITIVE_INFINITY
    let next: number | null = null
    for (const tether of this.#tethers) {
      if (tether.look === null) continue
      if (tether.look <= now) void this.#examine(tether)
      else if (next === null || tether.look < next) next = tether.look
    }
    this.#wakeAt(next)
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
