import { Failure } from '../protocol/failures.ts'
import type { Clock } from '../store/clock.ts'
import { type Entry, prefixed, type Step, type Store } from '../store/store.ts'
import type { Caller } from './caller.ts'
import { Counter } from './counter.ts'
import { type AuditEvent, actorOf, type Decision, type Ledger } from './ledger.ts'
import {
  encodeSignal,
  endKey,
  endOf,
  nameKey,
  ownerKey,
  type Revocation,
  secretKey,
  type TokenRecord,
  tokenKey,
} from './records.ts'
import { mintSecret, type Pepper, type Secret } from './secret.ts'
import { ADMIN_ID } from './users.ts'

/** Token ids reserved at a time; a restart skips what is left of them. */
const ID_BLOCK = 256
/** How often a decision that somebody overtook is made anew before the caller is told to try later. */
const ATTEMPTS = 256
const COUNT_PAGE = 1_000
const COUNT_LIMIT = 100_000

export interface MintRequest {
  /** Seconds; 0: without end. */
  readonly ttl: number
  readonly name?: string
  readonly description?: string
  /** Revokes the token that has this name now, in the same commit. */
  readonly replace?: boolean
}

export interface Minted {
  readonly record: TokenRecord
  readonly secret: Secret
}

/** The life of tokens: created, found, revoked. Each change is one commit with its indexes and its audit line. */
export class Tokens {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #pepper: Pepper
  readonly #ids: Counter

  constructor(parts: { store: Store; ledger: Ledger; clock: Clock; pepper: Pepper }) {
    this.#store = parts.store
    this.#ledger = parts.ledger
    this.#clock = parts.clock
    this.#pepper = parts.pepper
    this.#ids = new Counter(parts.store, 'm/tokenids', ID_BLOCK)
  }

  /** Mints a token for Admin. Throws `conflict` when the name is taken and not to be replaced, `unavailable`. */
  async mint(request: MintRequest, caller: Caller): Promise<Minted> {
    const id = await this.#ids.next()
    const secret = mintSecret()
    const hash = this.#pepper.hash(secret.reveal())
    return decide(async (attempt) => {
      const name = request.name ?? generatedName(id, attempt)
      const taken = await this.#store.get(nameKey(ADMIN_ID, name))
      if (taken !== undefined && request.replace !== true) {
        if (request.name === undefined) return undefined
        throw new Failure('conflict', `API token "${name}" already exists for userid "${ADMIN_ID}".`)
      }
      const record = this.#newRecord(id, name, hash, request)
      const decision = creation(record, caller, taken)
      const replaced = taken === undefined ? undefined : await this.#replacement(taken, record, caller)
      const committed = await this.#ledger.commit(
        replaced === undefined ? decision : both(replaced, decision),
      )
      return committed ? { record, secret } : undefined
    })
  }

  #newRecord(id: string, name: string, hash: string, { ttl, description = '' }: MintRequest): TokenRecord {
    const created = this.#clock.now()
    return {
      id,
      name,
      description,
      user: ADMIN_ID,
      creator: ADMIN_ID,
      source: 'mint',
      status: 'enabled',
      scopes: ['*'],
      created,
      expires: ttl === 0 ? null : created + ttl * 1000,
      hashes: [hash],
      revoked: null,
    }
  }

  /** The revocation of the name's present holder. Its name stays taken: the new token's steps take it over. */
  async #replacement(taken: Entry, by: TokenRecord, caller: Caller): Promise<Decision | undefined> {
    const entry = await this.#store.get(tokenKey(taken.value))
    return entry === undefined ? undefined : this.#revocation(entry, caller, `replaced by token ${by.id}`)
  }

  /** The record, or undefined. */
  async find(id: string): Promise<TokenRecord | undefined> {
    const entry = await this.#store.get(tokenKey(id))
    return entry === undefined ? undefined : parse(entry)
  }

  /** How many tokens are stored. Counting reads keys, so it stops at COUNT_LIMIT. */
  async count(): Promise<{ count: number; complete: boolean }> {
    let { gte, lt } = prefixed('t/')
    for (let count = 0; ; ) {
      const page = await this.#store.scan({ gte, lt, limit: COUNT_PAGE })
      count += page.length
      const last = page.at(-1)
      if (last === undefined || page.length < COUNT_PAGE) return { count, complete: true }
      if (count >= COUNT_LIMIT) return { count, complete: false }
      gte = `${last.key}\0`
    }
  }

  /** Deletes the token's secret and keeps its record. Revoking what is revoked already changes nothing. Throws `refused_object`. */
  revoke(id: string, caller: Caller, why: string): Promise<TokenRecord> {
    return decide(async () => {
      const entry = await this.#store.get(tokenKey(id))
      if (entry === undefined) throw noSuchToken()
      const record = parse(entry)
      if (record.revoked !== null) return record
      const decision = this.#revocation(entry, caller, why)
      const freed = { key: nameKey(record.user, record.name), write: null }
      const committed = await this.#ledger.commit({ ...decision, steps: [...decision.steps, freed] })
      return committed ? record : undefined
    })
  }

  /** Everything that revoking writes, but for the name's index. */
  #revocation(entry: Entry, caller: Caller, why: string): Decision {
    const record = parse(entry)
    const revoked: Revocation = { at: this.#clock.now(), by: actorOf(caller), why }
    const after: TokenRecord = { ...record, hashes: [], revoked }
    const steps: Step[] = [{ key: entry.key, expect: entry.version, write: JSON.stringify(after) }]
    for (const hash of record.hashes) steps.push({ key: secretKey(hash), write: null })
    const end = endOf(record)
    if (end !== null && end !== revoked.at) steps.push({ key: endKey(end, record.id), write: null })
    steps.push({ key: endKey(revoked.at, record.id), write: '' })
    return {
      steps,
      audit: [described('token.revoke', caller, record, { why })],
      signals: [encodeSignal(record)],
    }
  }
}

function creation(record: TokenRecord, caller: Caller, taken: Entry | undefined): Decision {
  const value = JSON.stringify(record)
  const steps: Step[] = [
    { key: tokenKey(record.id), expect: 0, write: value },
    { key: nameKey(record.user, record.name), expect: taken?.version ?? 0, write: record.id },
    { key: ownerKey(record.user, record.id), write: '' },
  ]
  for (const hash of record.hashes) steps.push({ key: secretKey(hash), expect: 0, write: value })
  const end = endOf(record)
  if (end !== null) steps.push({ key: endKey(end, record.id), write: '' })
  return { steps, audit: [described('token.mint', caller, record, { expires: record.expires })] }
}

function described(
  event: AuditEvent['event'],
  caller: Caller,
  record: TokenRecord,
  more: object,
): AuditEvent {
  return { event, by: actorOf(caller), token: record.id, name: record.name, user: record.user, ...more }
}

function both(first: Decision, second: Decision): Decision {
  return {
    steps: [...first.steps, ...second.steps],
    audit: [...first.audit, ...second.audit],
    signals: [...(first.signals ?? []), ...(second.signals ?? [])],
  }
}

/** Runs a decision until it commits: undefined means that somebody was faster, so that it has to be made anew. */
async function decide<T>(attempt: (count: number) => Promise<T | undefined>): Promise<T> {
  for (let count = 0; count < ATTEMPTS; count++) {
    const outcome = await attempt(count)
    if (outcome !== undefined) return outcome
  }
  throw new Failure('unavailable', 'Others keep changing the same token: try again.')
}

function generatedName(id: string, attempt: number): string {
  return attempt === 0 ? `minted-${id}` : `minted-${id}-${attempt}`
}

function noSuchToken(): Failure {
  return new Failure('refused_object', 'No permissions to referred object or it does not exist!')
}

function parse(entry: Entry): TokenRecord {
  return JSON.parse(entry.value) as TokenRecord
}
