import { Failure } from '../protocol/failures.ts'
import type { Clock } from '../store/clock.ts'
import type { Entry, Step, Store } from '../store/store.ts'
import { actorOf } from './actor.ts'
import type { Admission } from './admission.ts'
import type { TokenCaller } from './caller.ts'
import { grounded } from './ground.ts'
import { charge, type Holder, holderOf } from './holder.ts'
import { changeHeld, hold } from './holding.ts'
import { describeToken, type Ledger } from './ledger.ts'
import { inherited, limitsFrom } from './limits.ts'
import { type Actor, nameKey, type TokenRecord, tokenSignal } from './records.ts'
import { refuseRepeated } from './repeated.ts'
import {
  apply,
  endAt,
  endOf,
  refuseExcess,
  statusOf,
  type TokenChange,
  type TokenDraft,
  widens,
} from './token-change.ts'
import { erasure, insertion, parseToken } from './token-steps.ts'
import { nameTaken, type Tokens } from './tokens.ts'
import type { Users } from './users.ts'

/**
 * Tokens as Zabbix's token API handles them: several objects in a request, checked in Zabbix's order, all or nothing.
 * An admin is no more than a user here: only a superadmin reaches the tokens of others.
 */
export class TokenObjects {
  readonly #parts: { readonly store: Store; readonly users: Users; readonly clock: Clock }
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #users: Users
  readonly #tokens: Tokens
  readonly #admission: Admission

  constructor(parts: {
    store: Store
    ledger: Ledger
    clock: Clock
    users: Users
    tokens: Tokens
    admission: Admission
  }) {
    this.#parts = parts
    this.#store = parts.store
    this.#ledger = parts.ledger
    this.#clock = parts.clock
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
    const ids: string[] = []
    for (const _ of wanted) ids.push(await this.#tokens.nextId())
    return this.#ledger.decide(async () => {
      const by = await holderOf(caller, this.#parts)
      const records = wanted.map((draft, at) => this.#newRecord(ids[at] as string, draft, caller, by))
      for (const record of records) {
        this.#admission.refuseShortIdle(record.limits)
        refuseExcess(record, by)
      }
      for (const { name, user } of records) await this.#refuseTaken(name, user)
      const names = records.map(
        ({ id, user, name }): Step => ({ key: nameKey(user, name), expect: 0, write: id }),
      )
      const owners = await this.#ownersOf(records)
      const committed = await this.#ledger.commit({
        steps: grounded([...records.flatMap(insertion), ...names, ...owners], by.ground),
        audit: records.map((record) => describeToken('token.create', actorOf(caller), record)),
      })
      return committed ? ids : undefined
    })
  }

  /** A user who is deleted meanwhile must not leave tokens behind. */
  async #ownersOf(records: readonly TokenRecord[]): Promise<Step[]> {
    const steps: Step[] = []
    for (const user of new Set(records.map((record) => record.user)))
      steps.push(await this.#parts.users.condition(user))
    return steps
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

  /** Where a draft says nothing, a token has the bounds of the one that makes it. */
  #newRecord(
    id: string,
    draft: TokenDraft & { userid: string },
    { user }: TokenCaller,
    { record: token, remaining }: Holder,
  ): TokenRecord {
    if (remaining !== undefined && remaining <= 0)
      throw new Failure('forbidden', 'This was the last use of this token.')
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
      ...(draft.expires_at === undefined ? endOf(token) : endAt(draft.expires_at, token)),
      mintedBy: null,
      hashes: [],
      revoked: null,
      ...(limits !== undefined && { limits }),
      // Its calls are taken from the same bucket: by making tokens nobody gets more of them.
      ...(token.limits?.rate !== undefined && { pool: token.pool ?? token.id }),
      ...(draft.metadata && { metadata: draft.metadata }),
    }
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
      const by = await holderOf(caller, this.#parts)
      const update = (record: TokenRecord) => apply(record, byId.get(record.id) as TokenChange, by.record)
      const held = await hold(this.#store, ids, caller)
      let uses = 0
      for (const { record } of held) {
        const after = update(record)
        if (after.limits?.idleTtl !== record.limits?.idleTtl) this.#admission.refuseShortIdle(after.limits)
        if (!widens(record, after)) continue
        refuseExcess(after, by)
        uses += Math.max(0, (after.limits?.maxUses ?? 0) - (record.limits?.maxUses ?? 0))
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
      const decision = changeHeld(held, caller, 'token.update', update)
      const steps = grounded([...decision.steps, ...names, ...charge(by, uses)], by.ground)
      return (await this.#ledger.commit({ ...decision, steps })) ? ids : undefined
    })
  }

  /** Deletes records, secrets and every index. Returns the ids in the order of the request. */
  delete(ids: readonly string[], caller: TokenCaller): Promise<string[]> {
    return this.#ledger.decide(async () => {
      const held = await hold(this.#store, ids, caller)
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
}
