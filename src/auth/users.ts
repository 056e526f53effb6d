import { prefixed, type Store } from '../store/store.ts'
import type { Ledger } from './ledger.ts'
import { type UserRecord, userKey } from './records.ts'

/** The superadmin that is there from the first start; it owns what Auth.CreateApiToken mints. */
export const ADMIN_ID = '1'

const ADMIN: UserRecord = {
  id: ADMIN_ID,
  username: 'Admin',
  name: '',
  surname: '',
  type: 'superadmin',
  status: 'enabled',
}

/** Who owns tokens. Users are few: all of them are in memory, since every verification asks for its token's owner. */
export class Users {
  readonly #byId = new Map<string, UserRecord>()

  /** Reads all users, and creates Admin in a new store. */
  static async open(store: Store, ledger: Ledger): Promise<Users> {
    await ledger.commit({
      steps: [{ key: userKey(ADMIN_ID), expect: 0, write: JSON.stringify(ADMIN) }],
      audit: [{ event: 'user.create', by: { kind: 'daemon' }, user: ADMIN_ID, username: ADMIN.username }],
    })
    const users = new Users()
    for (const { value } of await store.scan({ ...prefixed('U/'), limit: 1_000_000 })) {
      const user = JSON.parse(value) as UserRecord
      users.#byId.set(user.id, user)
    }
    return users
  }

  find(id: string): UserRecord | undefined {
    return this.#byId.get(id)
  }

  get count(): number {
    return this.#byId.size
  }
}
