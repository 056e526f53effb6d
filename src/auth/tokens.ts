import { Failure } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { Entry, Store } from '../store/store.ts'
import { actorOf } from './actor.ts'
import type { Caller } from './caller.ts'
import { Counter } from './counter.ts'
import { grounded, groundOf } from './ground.ts'
import { type Decision, describeToken, type Ledger } from './ledger.ts'
import type { TokenLimits } from './limits.ts'
import { isUnlimited } from './operators.ts'
import { nameKey, type Revocation, type TokenRecord, tokenKey, tokenSignal } from './records.ts'
import { ALL_METHODS } from './scopes.ts'
import { mintSecret, type Pepper, type Secret } from './secret.ts'
import { change, insertion, parseToken } from './token-steps.ts'
import { ADMIN_ID, type Users } from './users.ts'

/** Token ids reserved at a time; a restart skips what is left of them. */
const ID_BLOCK = 256
const COUNT_LIMIT = 100_000
const COUNT_EVERY_MS = 1_000

export interface TokenCount {
  readonly count: number
  /** False: there are more. */
  readonly complete: boolean
}

export interface MintRequest {
  /** Seconds; 0: without end. */
  readonly ttl: number
  /** The owner's id; Admin where left out. */
  readonly user?: string | undefined
  readonly name?: string | undefined
  readonly description?: string | undefined
  /** All methods where left out. */
  readonly scopes?: readonly string[] | undefined
  readonly limits?: TokenLimits | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined
  /** Revokes the token that has this name now, in the same commit. */
  readonly replace?: boolean | undefined
}

export interface Minted {
  readonly record: TokenRecord
  readonly secret: Secret
}

/** The life of tokens as Auth.* knows it: minted, found, revoked. Each change is one commit with its indexes and its audit line. */
export class Tokens {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #users: Users
  readonly #pepper: Pepper
  readonly #ids: Counter
  #counted: { readonly at: number; readonly count: Promise<TokenCount> } | undefined

  constructor(parts: { store: Store; ledger: Ledger; clock: Clock; users: Users; pepper: Pepper }) {
    this.#store = parts.store
    this.#ledger = parts.ledger
    this.#clock = parts.clock
    this.#users = parts.users
    this.#pepper = parts.pepper
    this.#ids = new Counter(parts.store, 'm/tokenids', ID_BLOCK)
  }

  nextId(): Maybe<string> {
    return this.#ids.next()
  }

  /** Throws `conflict` when the name is taken and not to be replaced, `unavailable`. */
  async mint(request: MintRequest, caller: Caller): Promise<Minted> {
    const id = await this.nextId()
    const secret = mintSecret()
    const hash = this.#pepper.hash(secret.reveal())
    const { user = ADMIN_ID } = request
    return this.#ledger.decide(async (attempt) => {
      const name = request.name ?? generatedName(id, attempt)
      // One that is made up is hardly ever taken: the first attempt to commit it tells.
      const isMadeUp = request.name === undefined && attempt === 0
      const taken = isMadeUp ? undefined : await this.#store.get(nameKey(user, name))
      if (taken !== undefined && request.replace !== true) {
        if (request.name === undefined) return undefined
        throw new Failure('conflict', nameTaken(name, user))
      }
      if (taken !== undefined) await this.#refuseForeignReplacement(taken, caller)
      const record = this.#newRecord({ id, user, name, hash }, request, caller)
      const creation: Decision = {
        steps: [
          ...insertion(record),
          { key: nameKey(user, name), expect: taken?.version ?? 0, write: id },
          await this.#users.condition(user),
        ],
        audit: [describeToken('token.mint', actorOf(caller), record, detailsOf(record, caller))],
      }
      const replaced = taken === undefined ? undefined : await this.#replacement(taken, record, caller)
      const committed = await this.#ledger.commit(
        replaced === undefined ? creation : both(replaced, creation),
      )
      return committed ? { record, secret } : undefined
    })
  }

  /** Whose rule sets limits may replace what they have minted themselves; else they could end what is beyond their limits. */
  async #refuseForeignReplacement(taken: Entry, caller: Caller): Promise<void> {
    if (caller.kind !== 'local' || isUnlimited(caller.grant)) return
    const by = (await this.find(taken.value))?.mintedBy
    if (by?.kind === 'local' && by.uid === caller.peer.uid) return
    throw new Failure(
      'forbidden',
      'Your operator rule allows to replace tokens only that you have minted: choose another name.',
    )
  }

  #newRecord(
    { id, user, name, hash }: { id: string; user: string; name: string; hash: string },
    { ttl, description = '', scopes = ALL_METHODS, limits, metadata }: MintRequest,
    caller: Caller,
  ): TokenRecord {
    const created = this.#clock.now()
    const expires = ttl === 0 ? null : created + ttl * 1000
    return {
      id,
      name,
      description,
      user,
      creator: user,
      source: 'mint',
      status: 'enabled',
      scopes,
      created,
      expires,
      expiresAt: expires === null ? 0 : Math.floor(expires / 1000),
      mintedBy: actorOf(caller),
      hashes: [hash],
      revoked: null,
      ...(limits !== undefined && { limits }),
      ...(metadata && { metadata }),
    }
  }

  /** The revocation of the name's present holder. Its name stays taken: the new token's steps take it over. */
  async #replacement(taken: Entry, by: TokenRecord, caller: Caller): Promise<Decision | undefined> {
    const entry = await this.#store.get(tokenKey(taken.value))
    return entry === undefined ? undefined : this.#revocation(entry, caller, `replaced by token ${by.id}`)
  }

  /** The record, or undefined. */
  find(id: string): Maybe<TokenRecord | undefined> {
    return after(this.#store.get(tokenKey(id)), (entry) => entry && parseToken(entry))
  }

  /** How many tokens are stored. Counting reads keys, so it stops at COUNT_LIMIT and is done once in COUNT_EVERY_MS. */
  count(): Promise<TokenCount> {
    const now = this.#clock.now()
    if (this.#counted === undefined || now - this.#counted.at >= COUNT_EVERY_MS) {
      this.#counted = { at: now, count: this.#count() }
    }
    return this.#counted.count
  }

  /** Damaged records count as well: they are there. */
  async #count(): Promise<TokenCount> {
    const snapshot = this.#store.snapshot()
    try {
      let count = 0
      for await (const _ of snapshot.inspect('t/'))
        if (++count > COUNT_LIMIT) return { count: COUNT_LIMIT, complete: false }
      return { count, complete: true }
    } finally {
      await snapshot.close()
    }
  }

  /** Deletes the token's secret and keeps its record. Revoking what is revoked already changes nothing. Throws `refused_object`. */
  revoke(id: string, caller: Caller, why: string): Promise<TokenRecord> {
    return this.#ledger.decide(async () => {
      const entry = await this.#store.get(tokenKey(id))
      if (entry === undefined) throw refusedObject()
      const record = parseToken(entry)
      if (record.revoked !== null) return record
      const decision = this.#revocation(entry, caller, why)
      const freed = { key: nameKey(record.user, record.name), write: null }
      const parts = { store: this.#store, clock: this.#clock }
      const ground = caller.kind === 'local' ? [] : (await groundOf(caller, parts)).steps
      const steps = grounded([...decision.steps, freed], ground)
      const committed = await this.#ledger.commit({ ...decision, steps })
      return committed ? record : undefined
    })
  }

  /** Everything that revoking writes, but for the name's index. */
  #revocation(entry: Entry, caller: Caller, why: string): Decision {
    const { retiring: _, ...record } = parseToken(entry)
    const revoked: Revocation = { at: this.#clock.now(), by: actorOf(caller), why }
    return {
      steps: change(entry, { ...record, hashes: [], revoked }),
      audit: [describeToken('token.revoke', actorOf(caller), record, { why })],
      signals: [tokenSignal(record)],
    }
  }
}

/** What a mint's line says beside who and what: the decision's terms, and the rule that allowed it. */
function detailsOf({ expires, scopes }: TokenRecord, caller: Caller): object {
  return { expires, scopes, ...(caller.kind === 'local' && { rule: caller.grant.rule }) }
}

function both(first: Decision, second: Decision): Decision {
  return {
    steps: [...first.steps, ...second.steps],
    audit: [...first.audit, ...second.audit],
    signals: [...(first.signals ?? []), ...(second.signals ?? [])],
  }
}

function generatedName(id: string, attempt: number): string {
  return attempt <= 1 ? `minted-${id}` : `minted-${id}-${attempt - 1}`
}

export function nameTaken(name: string, user: string): string {
  return `API token "${name}" already exists for userid "${user}".`
}

/** Unknown and forbidden objects are refused alike, in Zabbix's words. */
export function refusedObject(): Failure {
  return new Failure('refused_object', 'No permissions to referred object or it does not exist!')
}
