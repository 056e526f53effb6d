import { Failure } from '../protocol/failures.ts'
import type { Clock } from '../store/clock.ts'
import type { Entry, Step, Store } from '../store/store.ts'
import { actorOf } from './actor.ts'
import type { Admission } from './admission.ts'
import type { TokenCaller } from './caller.ts'
import type { AuditEvent, Ledger } from './ledger.ts'
import { inherited, limitsFrom } from './limits.ts'
import { type Actor, nameKey, type TokenRecord, tokenKey, tokenSignal } from './records.ts'
import { refuseRepeated } from './repeated.ts'
import { mintHexSecret, type Pepper, type Secret } from './secret.ts'
import {
  apply,
  endOf,
  expiryOf,
  refuseExcess,
  statusOf,
  type TokenChange,
  type TokenDraft,
  widens,
} from './token-change.ts'
import { change, erasure, insertion, parseToken } from './token-steps.ts'
import { describeToken, nameTaken, refusedObject, type Tokens } from './tokens.ts'
import type { Users } from './users.ts'

/** A token that a request names, as it is now. */
interface Held {
  readonly entry: Entry
  readonly record: TokenRecord
}

/**
 * Tokens as Zabbix's token API handles them: several objects in a request, checked in Zabbix's order, all or nothing.
 * An admin is no more than a user here: only a superadmin reaches the tokens of others.
 */
export class TokenObjects {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #pepper: Pepper
  readonly #users: Users
  readonly #tokens: Tokens
  readonly #admission: Admission

  constructor(parts: {
    store: Store
    ledger: Ledger
    clock: Clock
    pepper: Pepper
    users: Users
    tokens: Tokens
    admission: Admission
  }) {
    this.#store = parts.store
    this.#ledger = parts.ledger
    this.#clock = parts.clock
    this.#pepper = parts.pepper
    this.#users = parts.users
    this.#tokens = parts.tokens
    this.#admission = parts.admission
  }

  /** New tokens, without a secret: they authenticate once it is generated. Returns their ids in the order of the request. */
  async create(drafts: readonly TokenDraft[], caller: TokenCaller): Promise<string[]> {
    const wanted = drafts.map((draft) => ({ ...draft, userid: draft.userid ?? caller.user.id }))
    refuseRepeated(
      'userid, name',
      wanted.map(({ userid, name }) => [userid, name]),
    )
    for (const { userid } of wanted) this.#refuseOwner(userid, caller)
    for (const { name, userid } of wanted) await this.#refuseTaken(name, userid)
    const remaining = await this.#remaining(caller)
    const records: TokenRecord[] = []
    for (const draft of wanted) {
      const record = this.#newRecord(await this.#tokens.nextId(), draft, caller, remaining)
      refuseExcess(record, caller, remaining)
      records.push(record)
    }
    return this.#ledger.decide(async () => {
      for (const { name, user } of records) await this.#refuseTaken(name, user)
      const names = records.map(
        ({ id, user, name }): Step => ({ key: nameKey(user, name), expect: 0, write: id }),
      )
      const committed = await this.#ledger.commit({
        steps: [...records.flatMap(insertion), ...names],
        audit: records.map((record) => describeToken('token.create', actorOf(caller), record)),
      })
      return committed ? records.map(({ id }) => id) : undefined
    })
  }

  #refuseOwner(userid: string, caller: TokenCaller): void {
    const known = this.#users.find(userid) !== undefined
    if (known && (userid === caller.user.id || caller.user.type === 'superadmin')) return
    throw new Failure('invalid_params', `User with ID "${userid}" is not available.`)
  }

  async #refuseTaken(name: string, user: string): Promise<void> {
    const taken = await this.#store.get(nameKey(user, name))
    if (taken !== undefined) throw new Failure('invalid_params', nameTaken(name, user))
  }

  /** Uses that the caller's token has left; undefined: any number. */
  async #remaining({ token: { id, limits } }: TokenCaller): Promise<number | undefined> {
    return limits?.maxUses === undefined ? undefined : this.#admission.remaining(id, limits.maxUses)
  }

  /** Where a draft says nothing, a token has the bounds of the one that makes it. */
  #newRecord(
    id: string,
    draft: TokenDraft & { userid: string },
    { user, token }: TokenCaller,
    remaining: number | undefined,
  ): TokenRecord {
    const limits = limitsFrom(draft, inherited(token, remaining))
    return {
      id,
      name: draft.name,
      description: draft.description ?? '',
      user: draft.userid,
      creator: user.id,
      source: 'create',
      status: statusOf(draft.status ?? 0),
      scopes: draft.scopes ?? token.scopes,
      created: this.#clock.now(),
      ...(draft.expires_at === undefined ? endOf(token) : expiryOf(draft.expires_at)),
      mintedBy: null,
      hashes: [],
      revoked: null,
      ...(limits !== undefined && { limits }),
      ...(draft.metadata && { metadata: draft.metadata }),
    }
  }

  /** A new secret for each; the old one is dead from the same commit on. In the order of the request. */
  generate(ids: readonly string[], caller: TokenCaller): Promise<{ tokenid: string; token: string }[]> {
    return this.#ledger.decide(async () => {
      const made: { tokenid: string; secret: Secret }[] = []
      const held = await this.#hold(ids, caller)
      const remaining = await this.#remaining(caller)
      for (const { record } of held) refuseExcess(record, caller, remaining)
      const renewed = this.#clock.now()
      const committed = await this.#commitChanges(held, caller, 'token.generate', (record) => {
        const secret = mintHexSecret()
        made.push({ tokenid: record.id, secret })
        return { ...record, renewed, creator: caller.user.id, hashes: [this.#pepper.hash(secret.reveal())] }
      })
      return committed ? made.map(({ tokenid, secret }) => ({ tokenid, token: secret.reveal() })) : undefined
    })
  }

  /** Changes what is named. A name is looked up only if it changes, and against the state before the request. */
  async update(changes: readonly TokenChange[], caller: TokenCaller): Promise<string[]> {
    refuseRepeated(
      'tokenid',
      changes.map(({ tokenid }) => [tokenid]),
    )
    const byId = new Map(changes.map((wanted) => [wanted.tokenid, wanted]))
    const ids = [...byId.keys()]
    return this.#ledger.decide(async () => {
      const held = await this.#hold(ids, caller)
      const remaining = await this.#remaining(caller)
      for (const { record } of held) {
        const after = apply(record, byId.get(record.id) as TokenChange)
        if (widens(record, after)) refuseExcess(after, caller, remaining)
      }
      const renamed = changes.map(({ name }, at) =>
        name === undefined ? undefined : [held[at]?.record.user ?? '', name],
      )
      refuseRepeated('userid, name', renamed)
      const names: Step[] = []
      for (const { record } of held) {
        const name = byId.get(record.id)?.name
        if (name === undefined || name === record.name) continue
        await this.#refuseTaken(name, record.user)
        names.push({ key: nameKey(record.user, name), expect: 0, write: record.id })
        names.push({ key: nameKey(record.user, record.name), write: null })
      }
      const update = (record: TokenRecord) => apply(record, byId.get(record.id) as TokenChange)
      return (await this.#commitChanges(held, caller, 'token.update', update, names)) ? ids : undefined
    })
  }

  /** Deletes records, secrets and every index. Returns the ids in the order of the request. */
  delete(ids: readonly string[], caller: TokenCaller): Promise<string[]> {
    return this.#ledger.decide(async () => {
      const held = await this.#hold(ids, caller)
      const committed = await this.#ledger.commit({
        steps: held.flatMap(({ entry }) => erasure(entry)),
        audit: held.map(({ record }) => describeToken('token.delete', actorOf(caller), record)),
        signals: held.map(({ record }) => tokenSignal(record)),
      })
      return committed ? [...ids] : undefined
    })
  }

  /** Removes what a deleted user owned, in bounded steps. Their tokens are dead already. */
  async eraseOwned(entries: readonly Entry[], by: Actor): Promise<void> {
    for (const entry of entries) {
      const record = parseToken(entry)
      const audit = [describeToken('token.delete', by, record, { why: `user ${record.user} was deleted` })]
      await this.#ledger.commit({ steps: erasure(entry), audit, signals: [tokenSignal(record)] })
    }
  }

  /** The tokens of a request. Unknown, revoked and forbidden ones are refused alike. */
  async #hold(ids: readonly string[], caller: TokenCaller): Promise<Held[]> {
    const held: Held[] = []
    for (const id of ids) {
      const entry = await this.#store.get(tokenKey(id))
      const record = entry && parseToken(entry)
      const permitted = record?.user === caller.user.id || caller.user.type === 'superadmin'
      if (entry === undefined || record === undefined || record.revoked !== null || !permitted)
        throw refusedObject()
      held.push({ entry, record })
    }
    return held
  }

  #commitChanges(
    held: readonly Held[],
    caller: TokenCaller,
    event: AuditEvent['event'],
    update: (record: TokenRecord) => TokenRecord,
    names: readonly Step[] = [],
  ): Promise<boolean> {
    const changes = held.map(({ entry, record }) => ({ entry, record, after: update(record) }))
    const real = changes.filter(({ record, after }) => JSON.stringify(record) !== JSON.stringify(after))
    const unchanged = changes.filter((one) => !real.includes(one))
    return this.#ledger.commit({
      steps: [
        ...real.flatMap(({ entry, after }) => change(entry, after)),
        ...unchanged.map(({ entry }) => ({ key: entry.key, expect: entry.version })),
        ...names,
      ],
      audit: real.map(({ after }) => describeToken(event, actorOf(caller), after)),
      signals: real.map(({ record }) => tokenSignal(record)),
    })
  }
}
