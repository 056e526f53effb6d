import type { Store } from '../store/store.ts'
import { Counter } from './counter.ts'
import type { Ledger } from './ledger.ts'
import { DAEMON, usernameKey, userSignal } from './records.ts'
import { newUser, USER_ID_BLOCK, USER_IDS, type UserDraft } from './user-objects.ts'
import { ADMIN_ID, userInsertion } from './users.ts'

/** Makes users of those who sign in for the first time. */
export class Enlistment {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #ids: Counter

  constructor(store: Store, ledger: Ledger) {
    this.#store = store
    this.#ledger = ledger
    this.#ids = new Counter(store, USER_IDS, USER_ID_BLOCK, Number(ADMIN_ID) + 1)
  }

  /** Returns the id; also if somebody else was faster. */
  async enlist(draft: UserDraft): Promise<string> {
    const user = newUser(await this.#ids.next(), draft)
    const { id, username, type, status } = user
    return this.#ledger.decide(async () => {
      const taken = await this.#store.get(usernameKey(username))
      if (taken !== undefined) return taken.value
      const committed = await this.#ledger.commit({
        steps: userInsertion(user),
        audit: [{ event: 'user.create', by: DAEMON, user: id, username, type, status }],
        signals: [userSignal(id, user)],
      })
      return committed ? id : undefined
    })
  }
}
