import { Failure } from '../protocol/failures.ts'
import type { Clock } from '../store/clock.ts'
import { prefixed, type Step, type Store } from '../store/store.ts'
import { actorOf } from './actor.ts'
import { RANK, type TokenCaller } from './caller.ts'
import { Counter } from './counter.ts'
import { grounded, groundOf } from './ground.ts'
import type { AuditEvent, Ledger } from './ledger.ts'
import { present, select } from './query.ts'
import { type Fields, type QueryParams, toQuery } from './query-params.ts'
import {
  type Actor,
  DAEMON,
  deletedUserKey,
  recordKey,
  type UserRecord,
  type UserType,
  userKey,
  usernameKey,
  userSignal,
} from './records.ts'
import { refuseRepeated } from './repeated.ts'
import { ALL_METHODS, contains } from './scopes.ts'
import type { TokenObjects } from './token-objects.ts'
import { refusedObject } from './tokens.ts'
import { ADMIN_ID, type Users, userInsertion } from './users.ts'

/** Members of user.create and, with `userid`, of user.update. `roleid`: 1 user, 2 admin, 3 superadmin; `type` is the same as a word. */
export interface UserDraft {
  username: string
  name?: string
  surname?: string
  roleid?: number
  type?: string
  status?: number
}

export type UserChange = Partial<UserDraft> & { userid: string }

export interface UserQueryParams extends QueryParams {
  userids?: string[] | null
}

const TYPES: readonly UserType[] = ['user', 'admin', 'superadmin']
/** Where ids of users come from, and how many are reserved at a time. */
export const USER_IDS = 'm/userids'
export const USER_ID_BLOCK = 16
const PAGE = 100

export const USER_FIELDS: Fields<UserRecord> = {
  userid: { kind: 'id', filter: true, sort: true, read: ({ id }) => id },
  username: { kind: 'text', filter: true, search: true, sort: true, read: ({ username }) => username },
  name: { kind: 'text', filter: true, search: true, sort: true, read: ({ name }) => name },
  surname: { kind: 'text', filter: true, search: true, sort: true, read: ({ surname }) => surname },
  roleid: { kind: 'id', filter: true, read: ({ type }) => String(RANK[type]) },
  status: { kind: 'integer', filter: true, read: ({ status }) => (status === 'enabled' ? '0' : '1') },
  type: { kind: 'text', named: true, read: ({ type }) => type },
}

/** Users as Zabbix's user API handles them, the part that a token authority needs. */
export class UserObjects {
  readonly #parts: { readonly store: Store; readonly clock: Clock }
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #users: Users
  readonly #tokens: TokenObjects
  readonly #ids: Counter

  constructor(parts: { store: Store; ledger: Ledger; clock: Clock; users: Users; tokens: TokenObjects }) {
    this.#parts = parts
    this.#store = parts.store
    this.#ledger = parts.ledger
    this.#users = parts.users
    this.#tokens = parts.tokens
    this.#ids = new Counter(parts.store, USER_IDS, USER_ID_BLOCK, Number(ADMIN_ID) + 1)
  }

  async get(params: UserQueryParams, caller: TokenCaller): Promise<unknown> {
    const query = toQuery(params)
    const ids = params.userids && new Set(params.userids)
    const rows = this.#users.all().filter(({ id }) => {
      return (!ids || ids.has(id)) && (caller.user.type === 'superadmin' || id === caller.user.id)
    })
    return present(USER_FIELDS, query, 'userid', await select(USER_FIELDS, query, once(rows)))
  }

  async create(drafts: readonly UserDraft[], caller: TokenCaller): Promise<string[]> {
    refuseRepeated(
      'username',
      drafts.map(({ username }) => [username]),
    )
    const records: UserRecord[] = []
    for (const draft of drafts) records.push(newUser(await this.#ids.next(), draft))
    if (records.some(({ type }) => type !== 'user')) refuseNarrow(caller)
    return this.#ledger.decide(async () => {
      for (const { username } of records) await this.#refuseTaken(username)
      const steps = records.flatMap(userInsertion)
      const committed = await this.#ledger.commit({
        steps: grounded(steps, (await groundOf(caller, this.#parts)).steps),
        audit: records.map((user) => describe('user.create', caller, user)),
        signals: records.map((user) => userSignal(user.id, user)),
      })
      return committed ? records.map(({ id }) => id) : undefined
    })
  }

  async #refuseTaken(username: string): Promise<void> {
    if ((await this.#store.get(usernameKey(username))) === undefined) return
    throw new Failure('invalid_params', `User with username "${username}" already exists.`)
  }

  async update(changes: readonly UserChange[], caller: TokenCaller): Promise<string[]> {
    refuseRepeated(
      'userid',
      changes.map(({ userid }) => [userid]),
    )
    refuseRepeated(
      'username',
      changes.map(({ username }) => (username === undefined ? undefined : [username])),
    )
    return this.#ledger.decide(async () => {
      const steps: Step[] = []
      const changed: UserRecord[] = []
      for (const wanted of changes) {
        const entry = await this.#store.get(userKey(wanted.userid))
        if (entry === undefined) throw refusedObject()
        const before = JSON.parse(entry.value) as UserRecord
        const now = applyChange(before, wanted)
        if (RANK[now.type] > RANK[before.type]) refuseNarrow(caller)
        if (now.username !== before.username) {
          await this.#refuseTaken(now.username)
          steps.push({ key: usernameKey(now.username), expect: 0, write: now.id })
          steps.push({ key: usernameKey(before.username), write: null })
        }
        steps.push({ key: entry.key, expect: entry.version, write: JSON.stringify(now) })
        changed.push(now)
      }
      const committed = await this.#ledger.commit({
        steps: grounded(steps, (await groundOf(caller, this.#parts)).steps),
        audit: changed.map((user) => describe('user.update', caller, user)),
        signals: changed.map((user) => userSignal(user.id, user)),
      })
      return committed ? changes.map(({ userid }) => userid) : undefined
    })
  }

  /** One commit, from which on the users' tokens are dead; their records are removed after it. */
  async delete(ids: readonly string[], caller: TokenCaller): Promise<string[]> {
    if (ids.includes(ADMIN_ID)) throw new Failure('refused_object', 'User "Admin" cannot be deleted.')
    await this.#ledger.decide(async () => {
      const users: UserRecord[] = []
      const steps: Step[] = []
      for (const id of ids) {
        const entry = await this.#store.get(userKey(id))
        if (entry === undefined) throw refusedObject()
        const user = JSON.parse(entry.value) as UserRecord
        users.push(user)
        steps.push({ key: entry.key, expect: entry.version, write: null })
        steps.push({ key: usernameKey(user.username), write: null }, { key: deletedUserKey(id), write: '' })
      }
      const committed = await this.#ledger.commit({
        steps: grounded(steps, (await groundOf(caller, this.#parts)).steps),
        audit: users.map((user) => describe('user.delete', caller, user)),
        signals: users.map((user) => userSignal(user.id, null)),
      })
      return committed ? true : undefined
    })
    for (const id of ids) await this.#tidy(id, actorOf(caller))
    return [...ids]
  }

  /** Goes on with what a crash interrupted. */
  async tidyDeleted(): Promise<void> {
    const interrupted = await this.#store.scan({ ...prefixed('D/'), limit: PAGE })
    for (const { key } of interrupted) await this.#tidy(String(BigInt(key.slice(2))), DAEMON)
  }

  async #tidy(id: string, by: Actor): Promise<void> {
    for (;;) {
      const owned = await this.#store.scan({ ...prefixed(`u/${id}/`), limit: PAGE })
      if (owned.length === 0) break
      const tokens = owned.map(({ key }) => this.#store.get(recordKey(key)))
      const entries = await Promise.all(tokens)
      await this.#tokens.eraseOwned(
        entries.filter((entry) => entry !== undefined),
        by,
      )
    }
    await this.#ledger.commit({ steps: [{ key: deletedUserKey(id), write: null }], audit: [] })
  }
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value
}

export function newUser(id: string, draft: UserDraft): UserRecord {
  const blank: UserRecord = {
    id,
    username: draft.username,
    name: '',
    surname: '',
    type: 'user',
    status: 'enabled',
  }
  return applyChange(blank, { ...draft, userid: id })
}

function applyChange(
  before: UserRecord,
  { username, name, surname, roleid, type, status }: UserChange,
): UserRecord {
  const now: UserRecord = {
    ...before,
    username: username ?? before.username,
    name: name ?? before.name,
    surname: surname ?? before.surname,
    type:
      (type as UserType | undefined) ??
      (roleid === undefined ? before.type : (TYPES[roleid - 1] as UserType)),
    status: status === undefined ? before.status : status === 0 ? 'enabled' : 'disabled',
  }
  // Nobody could put that right again: tokens are minted for Admin.
  if (now.id === ADMIN_ID && (now.type !== 'superadmin' || now.status !== 'enabled')) {
    throw new Failure('refused_object', 'User "Admin" can neither be disabled nor lose its type.')
  }
  return now
}

function describe(
  event: AuditEvent['event'],
  caller: TokenCaller,
  { id, username, type, status }: UserRecord,
): AuditEvent {
  return { event, by: actorOf(caller), user: id, username, type, status }
}

/** Whoever raises users to what their own token may not do would have it through them (pitfall 24). */
function refuseNarrow({ token }: TokenCaller): void {
  if (contains(token.scopes, ALL_METHODS)) return
  throw new Failure('forbidden', 'To raise a user takes a token whose scopes are not limited.')
}
