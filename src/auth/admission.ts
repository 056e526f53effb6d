import { Failure } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import { Buckets } from './buckets.ts'
import type { LastAccess } from './last-access.ts'
import type { Ledger } from './ledger.ts'
import type { TokenLimits } from './limits.ts'
import { AddressRanges } from './ranges.ts'
import { type TokenRecord, tokenKey, tokenSignal, usesKey } from './records.ts'
import type { Live } from './verifier.ts'

interface Parts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  readonly lastAccess: LastAccess
}

/** Whether a live token may be used now and from here. What it says about a token that is over is said to nobody else. */
export class Admission {
  readonly #parts: Parts
  readonly #buckets: Buckets
  /** Uses under way, one after the other for each token. */
  readonly #uses = new Map<string, Promise<unknown>>()

  constructor(parts: Parts) {
    this.#parts = parts
    this.#buckets = new Buckets(parts.clock)
  }

  /** One use of it: false, as for any token that is not valid. Throws `limited`, `unavailable`. */
  use(live: Live, address: string): Maybe<boolean> {
    const { limits, id } = live.record
    if (limits === undefined) return true
    return after(this.allows(live.record, address), (allowed) => {
      if (!allowed) return false
      if (limits.rate !== undefined) this.#slow(id, limits.rate)
      return limits.maxUses === undefined ? true : this.#count(live, limits.maxUses)
    })
  }

  /** The same without using it: for what only asks, and for connections that stay open. */
  allows(record: TokenRecord, address: string): Maybe<boolean> {
    const { id, limits } = record
    if (limits === undefined) return true
    const { notBefore, allowedIps, maxUses } = limits
    const now = this.#parts.clock.now()
    if (notBefore !== undefined && now < notBefore) return false
    if (allowedIps !== undefined && !rangesOf(limits).includes(address)) return false
    return after(this.restsUntil(record), (end) => {
      if (end !== null && now >= end) return false
      return maxUses === undefined ? true : after(this.remaining(id, maxUses), (left) => left > 0)
    })
  }

  /** When it dies of rest, unless it is used before; null: it may rest. Milliseconds since 1970. */
  restsUntil({ id, created, renewed = created, limits }: TokenRecord): Maybe<number | null> {
    const idleTtl = limits?.idleTtl
    if (idleTtl === undefined) return null
    return after(this.#parts.lastAccess.read(id), (used) => Math.max(used ?? 0, renewed) + idleTtl)
  }

  #slow(id: string, rate: NonNullable<TokenLimits['rate']>): void {
    const wait = this.#buckets.take(id, rate)
    if (wait === undefined) return
    throw new Failure(
      'limited',
      `This token may make ${rate.perSecond} calls a second: try again in ${wait} s.`,
      {
        headers: { 'Retry-After': String(wait) },
      },
    )
  }

  remaining(id: string, maxUses: number): Maybe<number> {
    return after(this.#parts.store.get(usesKey(id)), (entry) => maxUses - Number(entry?.value ?? 0))
  }

  /** One after the other: side by side they would only overtake each other at the same record. */
  #count(live: Live, maxUses: number): Promise<boolean> {
    const { id } = live.record
    const before = this.#uses.get(id) ?? Promise.resolve()
    const mine = before.catch(() => {}).then(() => this.#countNow(live, maxUses))
    this.#uses.set(id, mine)
    const forget = () => {
      if (this.#uses.get(id) === mine) this.#uses.delete(id)
    }
    mine.then(forget, forget)
    return mine
  }

  /** Durable before the call is served, and only if the token is still as it was found (pitfall 22). */
  #countNow({ record, version }: Live, maxUses: number): Promise<boolean> {
    const { store, ledger } = this.#parts
    return ledger.decide(async () => {
      const token = await store.get(tokenKey(record.id))
      const uses = await store.get(usesKey(record.id))
      const used = Number(uses?.value ?? 0)
      if (token?.version !== version || used >= maxUses) return false
      const steps = [
        { key: tokenKey(record.id), expect: version },
        { key: usesKey(record.id), expect: uses?.version ?? 0, write: String(used + 1) },
      ]
      // The last use ends what is open; its own call is under way already.
      const signals = used + 1 === maxUses ? [tokenSignal(record)] : []
      return (await ledger.commit({ steps, audit: [], signals })) ? true : undefined
    })
  }
}

const ranges = new WeakMap<TokenLimits, AddressRanges>()

/** Parsed once for as long as the record is kept. */
function rangesOf(limits: TokenLimits): AddressRanges {
  const known = ranges.get(limits) ?? new AddressRanges(limits.allowedIps ?? [])
  ranges.set(limits, known)
  return known
}
