import { Failure, tooMany } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import { Buckets, type RateKeeper } from './buckets.ts'
import type { LastAccess } from './last-access.ts'
import { describeToken, type Ledger } from './ledger.ts'
import { narrower, type Rate, type TokenLimits } from './limits.ts'
import type { Live } from './live.ts'
import { AddressRanges } from './ranges.ts'
import { DAEMON, type LiveRecord, tokenKey, tokenSignal, usesKey } from './records.ts'
import { type Obstacle, obstacle } from './standing.ts'
import { parseToken } from './token-steps.ts'
import type { Users } from './users.ts'

/** What the configuration says about the use of every token. */
export interface UsePolicy {
  readonly rate: Rate | undefined
  /** Milliseconds between two writes of last access. */
  readonly flush: number
}

interface Parts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  readonly lastAccess: LastAccess
  readonly users: Users
  readonly policy: () => UsePolicy
  /** Buckets of its own where left out. */
  readonly rates?: RateKeeper | undefined
}

/** After a crash last access is older than it was by as much as a write of it is due: that must not kill a token in use. */
const LEAST_IDLE_FLUSHES = 10

/** Whether a token that has nothing else against it may be used now and from here, and the count of its uses. */
export class Admission {
  readonly #parts: Parts
  readonly #rates: RateKeeper
  /** Uses under way, one after the other for each token. */
  readonly #uses = new Map<string, Promise<unknown>>()

  constructor(parts: Parts) {
    this.#parts = parts
    this.#rates = parts.rates ?? new Buckets()
  }

  /** One use of it: false, as for any token that is not valid. Throws `limited`, `unavailable`. */
  use(live: Live, address: string): Maybe<boolean> {
    const { limits } = live.record
    const { rate } = this.#parts.policy()
    if (limits === undefined && rate === undefined) return true
    return after(this.obstacle(live.record, address), (obstacle) => {
      if (obstacle !== undefined) return false
      return after(this.#slow(live.record, narrower(limits?.rate, rate)), () =>
        limits?.maxUses === undefined ? true : this.#count(live, limits.maxUses),
      )
    })
  }

  /** What its bounds have against it, without using it: for what only asks, and for connections that stay open. `address`: undefined for wherever it may be used from. */
  obstacle(record: LiveRecord, address: string | undefined): Maybe<Obstacle | undefined> {
    const { id, limits } = record
    if (limits === undefined) return undefined
    const { notBefore, allowedIps, maxUses } = limits
    const now = this.#parts.clock.now()
    if (notBefore !== undefined && now < notBefore) return 'not_before'
    if (allowedIps !== undefined && address !== undefined && !rangesOf(limits).includes(address))
      return 'allowed_ips'
    return after(this.restsUntil(record), (end) => {
      if (end !== null && now >= end) return 'idle_ttl'
      if (maxUses === undefined) return undefined
      return after(this.remaining(id, maxUses), (left) => (left > 0 ? undefined : 'max_uses'))
    })
  }

  /** Seconds until it may be called again, where its rate is exhausted. Takes nothing of it. */
  wait({ id, pool = id, limits }: LiveRecord): Maybe<number | undefined> {
    const rate = narrower(limits?.rate, this.#parts.policy().rate)
    return rate && this.#rates.wait(pool, rate)
  }

  /** When it dies of rest, unless it is used before; null: it may rest. Milliseconds since 1970. */
  restsUntil({ id, created, renewed = created, limits }: LiveRecord): Maybe<number | null> {
    const idleTtl = limits?.idleTtl
    if (idleTtl === undefined) return null
    return after(this.#parts.lastAccess.read(id), (used) => Math.max(used ?? 0, renewed) + idleTtl)
  }

  /** How many uses are left of so many. */
  remaining(id: string, maxUses: number): Maybe<number> {
    return after(this.#parts.store.get(usesKey(id)), (entry) => maxUses - Number(entry?.value ?? 0))
  }

  /** The same of a token, with no bound where it has none. */
  async remainingOf({ id, limits }: LiveRecord): Promise<number | undefined> {
    return limits?.maxUses === undefined ? undefined : this.remaining(id, limits.maxUses)
  }

  /** Throws `invalid_params` for an idle_ttl so short that a crash could end a token that is in use. */
  refuseShortIdle(limits: TokenLimits | undefined): void {
    const least = LEAST_IDLE_FLUSHES * this.#parts.policy().flush
    if (limits?.idleTtl === undefined || limits.idleTtl >= least) return
    throw new Failure(
      'invalid_params',
      `Invalid parameter "idle_ttl": at least ${Math.ceil(least / 1000)} seconds, ten times tokens.last_access_flush.`,
    )
  }

  #slow({ id, pool = id }: LiveRecord, rate: Rate | undefined): Maybe<void> {
    if (rate === undefined) return
    return after(this.#rates.take(pool, rate), (wait) => {
      if (wait === undefined) return
      throw tooMany(`This token may make ${rate.perSecond} calls a second: try again in ${wait} s.`, wait)
    })
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

  #stands(record: LiveRecord, hash: string): boolean {
    const { users, clock } = this.#parts
    return obstacle(record, hash, users.find(record.user), clock.now()) === undefined
  }

  /** Durable before the call is served, and only if the token is still as it was found (pitfall 22). */
  #countNow({ record, version, hash }: Live, maxUses: number): Promise<boolean> {
    const { store, ledger } = this.#parts
    return ledger.decide(async () => {
      const token = await store.get(tokenKey(record.id))
      const uses = await store.get(usesKey(record.id))
      const used = Number(uses?.value ?? 0)
      if (token === undefined || used >= maxUses) return false
      // Changed since it was found, which need not have ended it.
      if (token.version !== version && !this.#stands(parseToken(token), hash)) return false
      const steps = [
        { key: tokenKey(record.id), expect: token.version },
        { key: usesKey(record.id), expect: uses?.version ?? 0, write: String(used + 1) },
      ]
      // The last use ends what is open; its own call is under way already.
      const isLast = used + 1 === maxUses
      const audit = isLast ? [describeToken('token.use_up', DAEMON, record, { uses: maxUses })] : []
      const signals = isLast ? [tokenSignal(record)] : []
      return (await ledger.commit({ steps, audit, signals })) ? true : undefined
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
