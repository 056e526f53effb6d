import type { Clock } from '../store/clock.ts'
import { pages } from '../store/pages.ts'
import { prefixed, type Store } from '../store/store.ts'
import type { TokenRecord } from './records.ts'
import { parseToken } from './token-steps.ts'

/** Counting reads records: not more often than that, not more than so many, and not all at once. */
const EVERY_MS = 60_000
const MOST = 100_000
const PAGE = 200

export type TokenState = 'active' | 'disabled' | 'expired' | 'revoked' | 'without_secret'

/** How many tokens there are in each state. */
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
    if (this.#counted === undefined || now - this.#counted.at >= EVERY_MS)
      this.#counted = { at: now, counts: this.#count() }
    return this.#counted.counts
  }

  async #count(): Promise<Record<TokenState, number>> {
    const counts = { active: 0, disabled: 0, expired: 0, revoked: 0, without_secret: 0 }
    let looked = 0
    for await (const page of pages(this.#store, { ...prefixed('t/'), limit: PAGE })) {
      for (const entry of page) counts[stateOf(parseToken(entry), this.#clock.now())]++
      looked += page.length
      if (looked >= MOST) break
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
