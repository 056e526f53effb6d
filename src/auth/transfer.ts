import type { Entry, Step, Store } from '../store/store.ts'
import { Counter } from './counter.ts'
import { isToken, isUser } from './record-shape.ts'
import { nameKey, secretKey, type TokenRecord, type UserRecord, usernameKey } from './records.ts'
import { insertion } from './token-steps.ts'
import { ADMIN_ID, ADMIN_NAME, userInsertion } from './users.ts'

/** What an export holds: users, and tokens with the hashes of their secrets, but neither secrets nor history. */
export type Exported = readonly ['user', UserRecord] | readonly ['token', TokenRecord]

const BLOCK = 256

/** What is exported of a page of a backup. Tokens that have ended by revocation have nothing that could live on. */
export function exported(entries: readonly (readonly [key: string, value: string])[]): Exported[] {
  const found: Exported[] = []
  for (const [key, value] of entries) {
    if (key.startsWith('U/')) found.push(['user', JSON.parse(value) as UserRecord])
    if (!key.startsWith('t/')) continue
    const record = JSON.parse(value) as TokenRecord
    // The token that the export itself is made with goes nowhere.
    if (record.revoked !== null || record.description === 'postern export') continue
    // Nor does one whose uses are counted: two hosts that each count for themselves would grant them twice.
    if (record.limits?.maxUses === undefined) found.push(['token', withoutPool(record)])
  }
  return found
}

/** Ids are others there. */
function withoutPool({ pool: _, ...record }: TokenRecord): TokenRecord {
  return record
}

/** Whether what a file holds is something that can be taken in. */
export function isExported(item: readonly [string, unknown]): boolean {
  const [kind, thing] = item
  const text = JSON.stringify(thing) ?? ''
  return kind === 'user' ? isUser(text) : kind === 'token' && isToken(text)
}

/** How many came in, and which did not: their name, or their secret, is here already. */
export interface Imported {
  users: number
  tokens: number
  skipped: string[]
}

/** Takes exported users and tokens into another store with the same pepper, under ids of its own. Users come before tokens. */
export class Import {
  readonly #store: Store
  readonly #tokenIds: Counter
  readonly #userIds: Counter
  /** Old ids of users, and their new ones. */
  readonly #users = new Map<string, string>()
  readonly outcome: Imported = { users: 0, tokens: 0, skipped: [] }

  constructor(store: Store) {
    this.#store = store
    this.#tokenIds = new Counter(store, 'm/tokenids', BLOCK)
    this.#userIds = new Counter(store, 'm/userids', BLOCK, Number(ADMIN_ID) + 1)
  }

  add(item: Exported): Promise<void> {
    return item[0] === 'user' ? this.#addUser(item[1]) : this.#addToken(item[1])
  }

  /** A user of that name who is here is the same one. */
  async #addUser(user: UserRecord): Promise<void> {
    const here = await this.#store.get(usernameKey(user.username))
    // In a new store Admin is not there yet, and has to have the id that everybody expects.
    const isAdmin = user.username === ADMIN_NAME
    const id = here?.value ?? (isAdmin ? ADMIN_ID : await this.#userIds.next())
    this.#users.set(user.id, id)
    if (here !== undefined) return
    const steps = userInsertion({ ...user, id })
    if (await this.#commit(steps, { user: id, username: user.username })) this.outcome.users++
  }

  async #addToken(token: TokenRecord): Promise<void> {
    const user = this.#users.get(token.user)
    if (user === undefined || (await this.#isTaken(token, user))) {
      this.outcome.skipped.push(token.name)
      return
    }
    const id = await this.#tokenIds.next()
    const record = { ...token, id, user, creator: this.#users.get(token.creator) ?? user }
    const name: Step = { key: nameKey(user, token.name), expect: 0, write: id }
    if (await this.#commit([...insertion(record), name], { token: id, user, name: token.name }))
      this.outcome.tokens++
    else this.outcome.skipped.push(token.name)
  }

  async #isTaken({ name, hashes }: TokenRecord, user: string): Promise<boolean> {
    const keys = [nameKey(user, name), ...hashes.map(secretKey)]
    const found = await Promise.all(
      keys.map((key): Promise<Entry | undefined> | Entry | undefined => this.#store.get(key)),
    )
    return found.some((entry) => entry !== undefined)
  }

  #commit(steps: readonly Step[], details: object): Promise<boolean> {
    const line = { at: Date.now(), event: 'store.import', by: { kind: 'daemon' }, ...details }
    return this.#store.commit({ steps, append: [JSON.stringify(line)] })
  }
}
