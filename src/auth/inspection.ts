import { setImmediate as nextTurn } from 'node:timers/promises'
import { headOf } from '../store/batch.ts'
import { DamagedRecord } from '../store/record.ts'
import { APPENDED, type Entry, HEAD, type Snapshot, type Step } from '../store/store.ts'
import { ChainVerifier } from './audit-chain.ts'
import { chainedLine } from './audit-log.ts'
import {
  deletedUserKey,
  type TokenRecord,
  tokenKey,
  type UserRecord,
  userKey,
  usernameKey,
} from './records.ts'
import { derived } from './token-steps.ts'

/** Something that is not as it has to be. `repair`: what puts it right; without it, something is lost. */
export interface Finding {
  readonly what: string
  readonly repair?: Step
}

/** What was looked at. */
export interface Looked {
  tokens: number
  users: number
  lines: number
}

/** What is derived from tokens: it can be made anew from their records. */
const DERIVED = ['h/', 'n/', 'u/', 'v/', 'x/']
const TURN_EVERY = 40

/** Looks at everything in a store: each record, each index in both directions, and the audit chain. */
export class Inspection {
  readonly #snapshot: Snapshot
  readonly #publicKey: string
  readonly looked: Looked = { tokens: 0, users: 0, lines: 0 }
  /** Ids of tokens whose records are damaged. */
  readonly #damaged = new Set<string>()
  /** How many entries of each index were found to be as they have to be. */
  readonly #right = new Map<string, number>()
  #steps = 0

  constructor(snapshot: Snapshot, publicKey: string) {
    this.#snapshot = snapshot
    this.#publicKey = publicKey
  }

  async *findings(): AsyncGenerator<Finding> {
    yield* this.#users()
    yield* this.#tokens()
    for (const prefix of DERIVED) yield* this.#derived(prefix)
    yield* this.#lastAccess()
    yield* this.#audit()
  }

  async *#users(): AsyncGenerator<Finding> {
    for await (const found of this.#snapshot.inspect('U/')) {
      this.looked.users++
      if ('damaged' in found) {
        yield { what: `the user in ${found.damaged} is damaged` }
        continue
      }
      const { id, username } = JSON.parse(found.entry.value) as UserRecord
      const key = usernameKey(username)
      if ((await this.#read(key)) !== id)
        yield { what: `the name of user ${id} is not indexed`, repair: { key, write: id } }
    }
    for await (const found of this.#snapshot.inspect('N/')) {
      if ('damaged' in found) continue // repaired by the user's own
      const { key, value } = found.entry
      const user = await this.#read(userKey(value))
      if (user === undefined || usernameKey((JSON.parse(user) as UserRecord).username) !== key)
        yield { what: `${key} points to no user of that name`, repair: { key, write: null } }
    }
  }

  async *#tokens(): AsyncGenerator<Finding> {
    for await (const found of this.#snapshot.inspect('t/')) {
      await this.#breathe()
      this.looked.tokens++
      if ('damaged' in found) {
        const id = idIn(found.damaged)
        this.#damaged.add(id)
        yield { what: `the record of token ${id} is damaged`, ...(await this.#copyOf(id)) }
        continue
      }
      const record = parse(found.entry)
      if ((await this.#isOrphan(record)) === true)
        yield { what: `token ${record.id} belongs to user ${record.user}, who is not there` }
      for (const [key, value] of derived(record)) {
        if ((await this.#read(key)) === value) this.#count(key)
        else yield { what: `${key} does not fit token ${record.id}`, repair: { key, write: value } }
      }
    }
  }

  #count(key: string): void {
    const prefix = key.slice(0, 2)
    this.#right.set(prefix, (this.#right.get(prefix) ?? 0) + 1)
  }

  async #isOrphan({ user }: TokenRecord): Promise<boolean> {
    if ((await this.#read(userKey(user))) !== undefined) return false
    return (await this.#read(deletedUserKey(user))) === undefined // those are being tidied up
  }

  /** The same record is stored with each secret: from there it can be had back. */
  async #copyOf(id: string): Promise<{ repair?: Step }> {
    for await (const found of this.#snapshot.inspect('h/')) {
      await this.#breathe()
      if (!('entry' in found) || parse(found.entry).id !== id) continue
      return { repair: { key: tokenKey(id), write: found.entry.value } }
    }
    return {}
  }

  /** What is there without a token that wants it there. */
  async *#derived(prefix: string): AsyncGenerator<Finding> {
    if (await this.#holdsNothingElse(prefix)) return
    for await (const found of this.#snapshot.inspect(prefix)) {
      await this.#breathe()
      if ('damaged' in found) {
        // Where a token wants it, that has been said; elsewhere it is of no use.
        if (!(await this.#isWanted(found.damaged, undefined)))
          yield { what: `${found.damaged} is damaged`, repair: { key: found.damaged, write: null } }
        continue
      }
      const { key } = found.entry
      const id = prefix === 'h/' ? parse(found.entry).id : prefix === 'n/' ? found.entry.value : idIn(key)
      if (this.#damaged.has(id) || (await this.#isWanted(key, id))) continue
      yield { what: `${key} points to token ${id}, which is not so`, repair: { key, write: null } }
    }
  }

  /** Where there are as many entries as were right, none is left that could be wrong. */
  async #holdsNothingElse(prefix: string): Promise<boolean> {
    let count = 0
    for await (const _ of this.#snapshot.inspect(prefix)) {
      count++
      await this.#breathe()
    }
    return count === (this.#right.get(prefix) ?? 0)
  }

  async #isWanted(key: string, id: string | undefined): Promise<boolean> {
    if (id === undefined)
      return key.startsWith('h/') || key.startsWith('n/') || this.#isWanted(key, idIn(key))
    const token = await this.#read(tokenKey(id))
    return token !== undefined && derived(JSON.parse(token) as TokenRecord).has(key)
  }

  async *#lastAccess(): AsyncGenerator<Finding> {
    for await (const found of this.#snapshot.inspect('a/')) {
      await this.#breathe()
      const key = 'entry' in found ? found.entry.key : found.damaged
      const id = idIn(key)
      const isLost = !this.#damaged.has(id) && (await this.#read(tokenKey(id))) === undefined
      if ('damaged' in found || isLost)
        yield { what: `the last access of token ${id} is worthless`, repair: { key, write: null } }
    }
  }

  async *#audit(): AsyncGenerator<Finding> {
    const chain = new ChainVerifier(this.#publicKey)
    let last = { seq: 0, hash: '' }
    for await (const found of this.#snapshot.inspect(APPENDED)) {
      await this.#breathe()
      if ('damaged' in found) {
        yield { what: `line ${Number(idIn(found.damaged))} of the audit log is damaged` }
        continue
      }
      this.looked.lines++
      last = chainedLine(found.entry)
      chain.add(chainedLine(found.entry))
    }
    for (const what of chain.end()) yield { what: `audit log: ${what}` }
    const { appended, hash } = headOf(await this.#snapshot.get(HEAD))
    if (appended !== last.seq || hash !== last.hash)
      yield { what: `audit log: it ends with line ${last.seq}, and ${appended} were written` }
  }

  /** The value, or undefined for what is not there or damaged: both have to be written. */
  async #read(key: string): Promise<string | undefined> {
    try {
      return (await this.#snapshot.get(key))?.value
    } catch (error) {
      if (error instanceof DamagedRecord) return undefined
      throw error
    }
  }

  /** Others want to be served meanwhile. */
  async #breathe(): Promise<void> {
    if (++this.#steps % TURN_EVERY === 0) await nextTurn()
  }
}

function parse({ value }: Entry): TokenRecord {
  return JSON.parse(value) as TokenRecord
}

/** The id that a key ends with. */
function idIn(key: string): string {
  return String(BigInt(key.slice(key.lastIndexOf('/') + 1)))
}
