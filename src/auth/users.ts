import { Failure } from '../protocol/failures.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import { type Entry, type Feed, prefixed, type Step, type Store } from '../store/store.ts'
import type { Ledger } from './ledger.ts'
import { DAEMON, decodeSignal, type UserRecord, userKey, usernameKey } from './records.ts'

/** The superadmin that is there from the first start; it owns what Auth.CreateApiToken mints. */
export const ADMIN_ID = '1'

export const ADMIN_NAME = 'Admin'

const ADMIN: UserRecord = {
  id: ADMIN_ID,
  username: ADMIN_NAME,
  name: '',
  surname: '',
  type: 'superadmin',
  status: 'enabled',
}

const MAX_USERS = 1_000_000
/** After a read that failed, in milliseconds. */
const RETRY_MS = 1_000

/** Who owns tokens. Users are few: all of them are in memory, since every verification asks for its token's owner. */
export class Users implements Feed {
  readonly #store: Store
  readonly #byId = new Map<string, UserRecord>()
  /** That they are as they are now, for commits that rest on it. */
  readonly #conditions = new Map<string, Step>()
  /** Signals about users so far. */
  #changes = 0

  private constructor(store: Store) {
    this.#store = store
  }

  /** Reads all users, creates Admin in a new store, and follows the store's signals from then on. */
  static async open(store: Store, ledger: Ledger): Promise<Users> {
    if ((await store.get(userKey(ADMIN_ID))) === undefined) await createAdmin(ledger)
    const users = new Users(store)
    store.subscribe(users)
    await users.#read()
    return users
  }

  find(id: string): UserRecord | undefined {
    this.#store.refresh()
    return this.#byId.get(id)
  }

  /** By the exact name. */
  findByName(username: string): Maybe<UserRecord | undefined> {
    return after(this.#store.get(usernameKey(username)), (entry) => entry && this.find(entry.value))
  }

  /** That a user is there, and as they are now. Throws `invalid_params`. */
  condition(id: string): Maybe<Step> {
    this.#store.refresh()
    const known = this.#conditions.get(id)
    if (known !== undefined) return known
    const entry = this.#store.get(userKey(id))
    // A store that takes its time could be overtaken by a signal: what it gives is not kept.
    if (entry instanceof Promise) return entry.then((found) => conditionOf(id, found))
    const condition = conditionOf(id, entry)
    this.#conditions.set(id, condition)
    return condition
  }

  all(): UserRecord[] {
    this.#store.refresh()
    return [...this.#byId.values()]
  }

  get count(): number {
    return this.#byId.size
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    if (signal.kind !== 'user') return
    this.#changes++
    this.#conditions.delete(signal.id)
    if (signal.user === null) this.#byId.delete(signal.id)
    else this.#byId.set(signal.id, signal.user)
  }

  /** What is known serves until it could be read again. */
  reset(): void {
    this.#conditions.clear()
    this.#read().catch(() => setTimeout(() => this.reset(), RETRY_MS).unref())
  }

  async #read(): Promise<void> {
    const before = this.#changes
    const entries = await this.#store.scan({ ...prefixed('U/'), limit: MAX_USERS })
    if (this.#changes !== before) return this.#read() // what was read may be what a signal was about
    this.#byId.clear()
    for (const { value } of entries) {
      const user = JSON.parse(value) as UserRecord
      this.#byId.set(user.id, user)
    }
  }
}

/** A new user, with the name; refused where either is there already. */
export function userInsertion(user: UserRecord): Step[] {
  return [
    { key: userKey(user.id), expect: 0, write: JSON.stringify(user) },
    { key: usernameKey(user.username), expect: 0, write: user.id },
  ]
}

function conditionOf(id: string, entry: Entry | undefined): Step {
  if (entry === undefined) throw new Failure('invalid_params', `User with ID "${id}" is not available.`)
  return { key: entry.key, expect: entry.version }
}

/** If another node was faster, it is there as well. */
async function createAdmin(ledger: Ledger): Promise<void> {
  await ledger.commit({
    steps: userInsertion(ADMIN),
    audit: [{ event: 'user.create', by: DAEMON, user: ADMIN_ID, username: ADMIN.username }],
  })
}
