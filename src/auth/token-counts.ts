import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { TokenRecord } from './records.ts'
import { parseToken } from './token-steps.ts'

/** Counting reads records: not more often than that, not more than so many, and not all at once. */
const EVERY_MS = 60_000
const MOST = 100_000
const PAGE = 200

export type TokenState = 'active' | 'disabled' | 'expired' | 'revoked' | 'without_secret'

/** How many tokens there are in each state, but for those whose records are damaged. */
export class TokenCounts {
  readonly #store: Store
  readonly #clock: Clock
  #counted: { readonly at: number; readonly counts: Promise<Record<TokenState, number>> } | undefined

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  byState(): Promise<Record<TokenState, number>> {
    const now = performance.now()
    if (this.#counted !== undefined && now - this.#counted.at < EVERY_MS) return this.#counted.counts
    const counts = this.#count()
    this.#counted = { at: now, counts }
    counts.catch(() => {
      this.#counted = undefined // a store that could not be read is asked again
    })
    return counts
  }

  async #count(): Promise<Record<TokenState, number>> {
    const counts = { active: 0, disabled: 0, expired: 0, revoked: 0, without_secret: 0 }
    let looked = 0
    const snapshot = this.#store.snapshot()
    try {
      for await (const found of snapshot.inspect('t/')) {
        if ('entry' in found) counts[stateOf(parseToken(found.entry), this.#clock.now())]++
        if (++looked >= MOST) break
        if (looked % PAGE === 0) await nextTurn()
      }
    } finally {
      await snapshot.close()
    }
    return counts
  }
}

function stateOf({ revoked, status, expires, hashes }: TokenRecord, now: number): TokenState {
  if (revoked !== null) return 'revoked'
  if (status !== 'enabled') return 'disabled'
  if (expires !== null && now >= expires) return 'expired'
  return hashes.length === 0 ? 'without_secret' : 'active'
}
