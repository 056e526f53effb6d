import type { Admission } from '../auth/admission.ts'
import { RANK } from '../auth/caller.ts'
import type { Live, Verified } from '../auth/live.ts'
import { decodeSignal, type LiveRecord, type Signal, type UserRecord } from '../auth/records.ts'
import { contains } from '../auth/scopes.ts'
import { endOfSecret, OBSTACLES, obstacle } from '../auth/standing.ts'
import type { Tokens } from '../auth/tokens.ts'
import type { Users } from '../auth/users.ts'
import type { Verifier } from '../auth/verifier.ts'
import { after } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { Feed, Store } from '../store/store.ts'

/** Timers hold no more than 2^31-1 ms: a longer one would fire at once. */
const LONGEST_WAIT_MS = 60 * 60 * 1000
/** After a look at a store that could not be read, in milliseconds. */
const RETRY_MS = 1_000

export interface TetherParts {
  readonly store: Store
  readonly verifier: Verifier
  readonly admission: Admission
  readonly tokens: Tokens
  readonly users: Users
  readonly clock: Clock
}

interface Tether {
  /** The token and its owner as they were when it was tied. */
  readonly live: Live
  readonly user: UserRecord
  /** When it may be over, by its end or by rest, as far as is known; null: not by time. */
  look: number | null
  /** Where the client is, which may not be where the token may be used from any more. */
  readonly address: string
  /** Several may rest on one. */
  readonly connection: object | undefined
  /** It is about one call, whose use is counted already. */
  readonly isCall: boolean
  /** Called once, when the token no longer allows what it allowed. */
  readonly onEnd: (reason: string) => void
}

/** Open connections and the tokens that opened them: when a token ends, or may do less, its connections are told. */
export class Tethers implements Feed {
  readonly #parts: TetherParts
  readonly #tethers = new Set<Tether>()
  #ended = 0
  readonly #isEnded = new WeakSet<object>()
  #timer: NodeJS.Timeout | undefined
  #wakesAt = Number.POSITIVE_INFINITY

  constructor(parts: TetherParts) {
    this.#parts = parts
    parts.store.subscribe(this)
  }

  /** Connections that the end of their token has ended so far. */
  get ended(): number {
    return this.#ended
  }

  /** `onEnd` is given the reason; `connection`: what is counted when it ends, if anything. Returns how to let go. */
  tie(
    { live, user }: Verified,
    address: string,
    { connection, isCall = false }: { readonly connection?: object; readonly isCall?: boolean },
    onEnd: (reason: string) => void,
  ): () => void {
    const tether: Tether = { live, user, look: null, address, connection, isCall, onEnd }
    this.#tethers.add(tether)
    this.#lookAgain(tether, live.record)
    // The call that led to this may have been its last use; that call itself goes on.
    setImmediate(() => this.#examine(tether))
    return () => this.#tethers.delete(tether)
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    for (const tether of this.#tethers) if (isAbout(signal, tether.live)) this.#examine(tether)
  }

  reset(): void {
    for (const tether of this.#tethers) this.#examine(tether)
  }

  #examine(tether: Tether): void {
    const told = (reason: string | undefined) => {
      if (reason === undefined || !this.#tethers.delete(tether)) return
      const { connection } = tether
      if (connection !== undefined && !this.#isEnded.has(connection)) {
        this.#isEnded.add(connection)
        this.#ended++
      }
      tether.onEnd(reason)
    }
    // A store that cannot be read proves nothing: it is looked at again.
    const later = () => {
      tether.look = this.#parts.clock.now() + RETRY_MS
      this.#wakeAt(tether.look)
    }
    try {
      const reason = this.#reasonToEnd(tether)
      if (reason instanceof Promise) reason.then(told, later)
      else told(reason)
    } catch {
      later()
    }
  }

  /** At once, without a turn of the event loop, wherever the store answers at once. */
  #reasonToEnd(tether: Tether) {
    const { verifier, admission } = this.#parts
    return after(verifier.again(tether.live), (verified) => {
      if (verified === undefined) return this.#explain(tether)
      const { record } = verified.live
      if (isNarrower(verified, tether)) return 'its rights were narrowed'
      return after(admission.obstacle(record, tether.address), (found) => {
        const isOwnUse = found === 'max_uses' && tether.isCall
        if (found === undefined || isOwnUse) this.#lookAgain(tether, record)
        return found && !isOwnUse ? `token ${OBSTACLES[found]}` : undefined
      })
    })
  }

  #explain({ live }: Tether) {
    const { verifier, tokens, users, clock } = this.#parts
    if (live.signed !== undefined) return `token ${OBSTACLES[verifier.obstacle(live) ?? 'revoked']}`
    const { record, hash } = live
    return after(tokens.find(record.id), (now) => {
      const found = now ? obstacle(now, hash, users.find(now.user), clock.now()) : 'deleted'
      return `token ${OBSTACLES[found ?? 'replaced']}`
    })
  }

  /** One timer for all: it wakes at the next end, which itself is decided by comparison. */
  #wakeAt(look: number | null): void {
    if (look === null || look >= this.#wakesAt) return
    this.#wakesAt = look
    clearTimeout(this.#timer)
    const wait = Math.max(0, look - this.#parts.clock.now())
    this.#timer = setTimeout(() => this.#wake(), Math.min(wait + 1, LONGEST_WAIT_MS)).unref()
  }

  /** A use since the last look moves the end by rest further on. */
  #lookAgain(tether: Tether, record: LiveRecord): void {
    const look = (rested: number | null) => {
      const ends = [endOfSecret(record, tether.live.hash), rested].filter((end) => end !== null)
      tether.look = ends.length === 0 ? null : Math.min(...ends)
      this.#wakeAt(tether.look)
    }
    const later = () => look(this.#parts.clock.now() + RETRY_MS)
    try {
      const rested = this.#parts.admission.restsUntil(record)
      if (rested instanceof Promise) rested.then(look, later)
      else look(rested)
    } catch {
      later()
    }
  }

  #wake(): void {
    const now = this.#parts.clock.now()
    this.#wakesAt = Number.POSITIVE_INFINITY
    let next: number | null = null
    for (const tether of this.#tethers) {
      if (tether.look === null) continue
      if (tether.look <= now) this.#examine(tether)
      else if (next === null || tether.look < next) next = tether.look
    }
    this.#wakeAt(next)
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}

function isAbout(signal: Signal, { record, signed }: Live): boolean {
  switch (signal.kind) {
    case 'token':
      return record.id === signal.token
    case 'user':
      return record.user === signal.id
    case 'jwt':
      return signed?.configuration === signal.name
    case 'personal':
      return signed?.jti === signal.jti
  }
}

/** Whether a token and its owner may do less than when it was tied. */
function isNarrower({ live, user }: Verified, before: Tether): boolean {
  return !contains(live.record.scopes, before.live.record.scopes) || RANK[user.type] < RANK[before.user.type]
}
