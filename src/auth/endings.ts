import type { Clock } from '../store/clock.ts'
import { pages } from '../store/pages.ts'
import { DamagedRecord } from '../store/record.ts'
import { type Entry, prefixed, type Store } from '../store/store.ts'
import type { Admission } from './admission.ts'
import type { LastAccess } from './last-access.ts'
import { type AuditEvent, describeToken, type Ledger } from './ledger.ts'
import { DAEMON, expiryPlace, recordKey, type TokenRecord, tokenKey, toldKey } from './records.ts'
import { parseToken } from './token-steps.ts'

/** The second up to which expiries were told. */
const TOLD_UNTIL = 'm/expired'
/** Tokens looked at between two turns of the event loop. */
const PAGE = 200

/** A token that ends soon, for whom it may concern. Times are milliseconds since 1970. */
export interface Ending {
  readonly record: TokenRecord
  readonly expires: number
  readonly lastAccess: number | undefined
}

interface Parts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  readonly lastAccess: LastAccess
  readonly admission: Admission
}

/**
 * Writes into the audit log what no call has brought about: that a token has expired, has died of rest, or will end soon.
 * Each is said once, also across restarts; nothing is decided here, the token is refused by comparison anyway.
 */
export class Endings {
  readonly #parts: Parts
  /** TOLD_UNTIL, once it was read: it is written when there was something to tell. */
  #told: number | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Tokens whose last second is over, since this was done last. What was over before it was ever done is not told. */
  async tellExpired(): Promise<void> {
    const { store, ledger, clock } = this.#parts
    const until = Math.floor(clock.believed() / 1000) - 1
    const stored = this.#told ?? Number((await store.get(TOLD_UNTIL))?.value ?? until)
    // Ahead: the clock was put right.
    const told = stored > until + 1 ? until : stored
    let isNews = told !== stored || this.#told === undefined
    for await (const records of this.#expiringBetween(told + 1, until)) {
      const last = records.at(-1)
      if (last === undefined) continue
      isNews = true
      // The second of the last one may go on in the next page: it is told again rather than not at all.
      const steps = [{ key: TOLD_UNTIL, write: String(last.expiresAt - 1) }]
      await ledger.commit({
        steps,
        audit: records.map((record) => describeToken('token.expire', DAEMON, record)),
      })
    }
    this.#told = Math.max(told, until)
    if (isNews) await ledger.note([{ key: TOLD_UNTIL, write: String(this.#told) }])
  }

  /** Tokens that have died of rest. */
  async tellRested(): Promise<void> {
    const { clock, admission } = this.#parts
    const range = prefixed('i/')
    for await (const records of this.#indexed(range.gte, range.lt)) {
      for (const record of records) {
        const end = await admission.restsUntil(record)
        if (end !== null && clock.now() >= end)
          await this.#tellOnce(record, `rest ${end}`, describeToken('token.rest', DAEMON, record))
      }
    }
  }

  /** Tokens that end within so many milliseconds and were not told of yet, for this end and this span. */
  async tellEnding(before: number, tell: (ending: Ending) => void): Promise<void> {
    const { clock, lastAccess } = this.#parts
    const now = clock.now()
    for await (const records of this.#expiringBetween(now / 1000, (now + before) / 1000)) {
      for (const record of records) {
        const { expires, status } = record
        if (expires === null || expires <= now || expires - now > before || status !== 'enabled') continue
        const event = describeToken('token.ending', DAEMON, record, { expires, before })
        if (!(await this.#tellOnce(record, `${before} ${expires}`, event))) continue
        tell({ record, expires, lastAccess: await lastAccess.read(record.id) })
      }
    }
  }

  /** True: it was told now. The note of it and the line are one commit. */
  async #tellOnce({ id }: TokenRecord, what: string, event: AuditEvent): Promise<boolean> {
    const { store, ledger } = this.#parts
    const key = toldKey(id)
    const token = await store.get(tokenKey(id))
    if (token === undefined) return false // deleted since it was found: nothing is left behind
    const entry = await store.get(key)
    const told = entry === undefined ? [] : (JSON.parse(entry.value) as string[])
    if (told.includes(what)) return false
    const write = JSON.stringify([...told, what].slice(-MOST_TOLD))
    const steps = [
      { key: token.key, expect: token.version },
      { key, expect: entry?.version ?? 0, write },
    ]
    return ledger.commit({ steps, audit: [event] })
  }

  /** By their last second, which is the first and the last of these at the earliest and the latest. */
  async *#expiringBetween(first: number, last: number): AsyncGenerator<TokenRecord[]> {
    if (first > last) return
    const place = (second: number) => `v/${expiryPlace(Math.max(1, Math.floor(second)))}`
    yield* this.#indexed(place(first), `${place(last)}0`)
  }

  /** The tokens of an index, as they are now. */
  async *#indexed(from: string, lt: string): AsyncGenerator<TokenRecord[]> {
    const { store } = this.#parts
    for await (const page of pages(store, { gte: from, lt, limit: PAGE })) {
      const entries = await Promise.all(page.map(({ key }) => readable(store, recordKey(key))))
      yield entries.filter((entry) => entry !== undefined).map(parseToken)
    }
  }
}

/** Notes of what was told about one token: several spans for its present end, and old ones that no longer matter. */
const MOST_TOLD = 32

/** One damaged record must not keep the others from being told of; the check names it. */
async function readable(store: Store, key: string): Promise<Entry | undefined> {
  try {
    return await store.get(key)
  } catch (error) {
    if (error instanceof DamagedRecord) return undefined
    throw error
  }
}
