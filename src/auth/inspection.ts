import { setImmediate as nextTurn } from 'node:timers/promises'
import { headOf } from '../store/batch.ts'
import { DamagedRecord } from '../store/record.ts'
import { APPENDED, type Found, HEAD, type Snapshot, type Step } from '../store/store.ts'
import { ChainVerifier } from './audit-chain.ts'
import { chainedLine } from './audit-log.ts'
import { type Finding, idIn, keyOf, parse, stray, tokenIn } from './finding.ts'
import { parsePersonal } from './jwt/personal-record.ts'
import { isConfiguration, isPersonal } from './record-shape.ts'
import {
  deletedUserKey,
  personalKey,
  personalOwnerKey,
  type TokenRecord,
  tokenKey,
  type UserRecord,
  userKey,
  usernameKey,
} from './records.ts'
import { derived } from './token-steps.ts'

/** What was looked at. */
export interface Looked {
  tokens: number
  users: number
  lines: number
}

/** What is derived from tokens: it can be made anew from their records. */
const DERIVED = ['h/', 'n/', 'u/', 'v/', 'x/', 'i/']
/** What is noted about tokens beside their records, and what such a note looks like. */
const NOTES = { 'a/': /^\d+$/, 'k/': /^\d+$/, 'y/': /^\[/ }
const TURN_EVERY = 40

/**
 * Looks at everything in a store: first at what the records want to be there, then at what is there beside that, and at
 * the audit chain. Nothing that is stored is trusted to make sense.
 */
export class Inspection {
  readonly #snapshot: Snapshot
  readonly #publicKey: string
  readonly looked: Looked = { tokens: 0, users: 0, lines: 0 }
  /** Ids of tokens whose records are damaged: whatever points to them may be right. */
  readonly #damaged = new Set<string>()
  /** Keys that a record wants, and that are not as it wants them. */
  readonly #wrong = new Set<string>()
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
    for (const prefix of DERIVED) yield* this.#beside(prefix)
    for (const [prefix, form] of Object.entries(NOTES)) yield* this.#notes(prefix, form)
    yield* this.#signed()
    yield* this.#audit()
    for await (const found of this.#inspect('m/'))
      if ('damaged' in found) yield { what: `${found.damaged} is damaged: the daemon needs it` }
  }

  async *#users(): AsyncGenerator<Finding> {
    for await (const found of this.#inspect('U/')) {
      this.looked.users++
      const user = parse<UserRecord>(found)
      if (user === undefined) yield { what: `the user in ${keyOf(found)} is damaged` }
      else yield* this.#wanted(usernameKey(user.username), user.id, `user ${user.id}`)
    }
    for await (const found of this.#inspect('N/')) {
      const key = keyOf(found)
      if (this.#wrong.has(key)) continue
      const user = 'entry' in found ? await this.#record<UserRecord>(userKey(found.entry.value)) : undefined
      if (user === undefined || usernameKey(user.username) !== key) yield stray(key)
    }
  }

  async *#tokens(): AsyncGenerator<Finding> {
    for await (const found of this.#inspect('t/')) {
      this.looked.tokens++
      const record = parse<TokenRecord>(found)
      if (record === undefined) {
        const id = idIn(keyOf(found)) ?? '?'
        this.#damaged.add(id)
        yield { what: `the record of token ${id} is damaged`, ...(await this.#copyOf(id)) }
        continue
      }
      if (await this.#isOrphan(record))
        yield { what: `token ${record.id} belongs to user ${record.user}, who is not there` }
      for (const [key, value] of derived(record)) yield* this.#wanted(key, value, `token ${record.id}`)
    }
  }

  async *#wanted(key: string, value: string, by: string): AsyncGenerator<Finding> {
    if ((await this.#read(key)) === value) {
      const prefix = key.slice(0, 2)
      this.#right.set(prefix, (this.#right.get(prefix) ?? 0) + 1)
      return
    }
    this.#wrong.add(key)
    yield { what: `${key} does not fit ${by}`, repair: { key, write: value } }
  }

  async #isOrphan({ user }: TokenRecord): Promise<boolean> {
    if ((await this.#read(userKey(user))) !== undefined) return false
    return (await this.#read(deletedUserKey(user))) === undefined // those are being tidied up
  }

  /** The same record is stored with each secret: from there it can be had back. */
  async #copyOf(id: string): Promise<{ repair?: Step }> {
    for await (const found of this.#inspect('h/')) {
      if ('entry' in found && parse<TokenRecord>(found)?.id === id)
        return { repair: { key: tokenKey(id), write: found.entry.value } }
    }
    return {}
  }

  /** What is there without a record that wants it there. */
  async *#beside(prefix: string): AsyncGenerator<Finding> {
    if (await this.#holdsNothingElse(prefix)) return
    for await (const found of this.#inspect(prefix)) {
      const key = keyOf(found)
      if (this.#wrong.has(key)) continue // said already
      const id = tokenIn(found)
      if (id === undefined ? this.#damaged.size > 0 : this.#damaged.has(id)) continue
      const record = id === undefined ? undefined : await this.#record<TokenRecord>(tokenKey(id))
      const copy = prefix === 'h/' && record === undefined ? parse<TokenRecord>(found) : undefined
      if (copy !== undefined && 'entry' in found && this.#isCopy(copy, key)) {
        // A token that is deleted loses both in one commit: so the record was lost, and what else points to it is right.
        this.#damaged.add(copy.id)
        const repair = { key: tokenKey(copy.id), write: found.entry.value }
        yield { what: `the record of token ${copy.id} is gone; its copy is in ${key}`, repair }
        continue
      }
      if (record === undefined || !derived(record).has(key)) yield stray(key)
    }
  }

  #isCopy(record: TokenRecord, key: string): boolean {
    return Array.isArray(record.hashes) && typeof record.name === 'string' && derived(record).has(key)
  }

  /** Where there are as many entries as were right, none is left that could be wrong. */
  async #holdsNothingElse(prefix: string): Promise<boolean> {
    let count = 0
    for await (const _ of this.#inspect(prefix)) count++
    return count === (this.#right.get(prefix) ?? 0)
  }

  async *#notes(prefix: string, form: RegExp): AsyncGenerator<Finding> {
    for await (const found of this.#inspect(prefix)) {
      const key = keyOf(found)
      const id = idIn(key)
      if (id !== undefined && this.#damaged.has(id)) continue
      const known = id !== undefined && (await this.#read(tokenKey(id))) !== undefined
      if (!known || !('entry' in found) || !form.test(found.entry.value)) yield stray(key)
    }
  }

  /** Configurations of signed tokens, and personal ones with their index. */
  async *#signed(): AsyncGenerator<Finding> {
    for await (const found of this.#inspect('j/'))
      if (!('entry' in found) || !isConfiguration(found.entry.key, found.entry.value))
        yield { what: `the configuration in ${keyOf(found)} is damaged` }
    for await (const found of this.#inspect('J/')) {
      if (!('entry' in found) || !isPersonal(found.entry.key, found.entry.value)) {
        yield { what: `the signed token in ${keyOf(found)} is damaged` }
        continue
      }
      const { user, jti } = parsePersonal(found.entry)
      yield* this.#wanted(personalOwnerKey(user, jti), '', `the signed token ${jti}`)
    }
    for await (const found of this.#inspect('p/')) {
      const key = keyOf(found)
      const jti = key.slice(key.lastIndexOf('/') + 1)
      if (!this.#wrong.has(key) && (await this.#read(personalKey(jti))) === undefined) yield stray(key)
    }
  }

  async *#audit(): AsyncGenerator<Finding> {
    const chain = new ChainVerifier(this.#publicKey)
    let last = { seq: 0, hash: '' }
    for await (const found of this.#inspect(APPENDED)) {
      if ('damaged' in found) {
        yield { what: `line ${idIn(found.damaged)} of the audit log is damaged` }
        continue
      }
      this.looked.lines++
      last = chainedLine(found.entry)
      chain.add(last as ReturnType<typeof chainedLine>)
    }
    for (const what of chain.end()) yield { what: `audit log: ${what}` }
    const { appended, hash } = headOf(await this.#snapshot.get(HEAD))
    if (appended !== last.seq || hash !== last.hash)
      yield { what: `audit log: it ends with line ${last.seq}, and ${appended} were written` }
  }

  async #record<T>(key: string): Promise<T | undefined> {
    const value = await this.#read(key)
    return value === undefined ? undefined : parse<T>({ entry: { key, value, version: 0 } })
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
  async *#inspect(prefix: string): AsyncGenerator<Found> {
    for await (const found of this.#snapshot.inspect(prefix)) {
      if (++this.#steps % TURN_EVERY === 0) await nextTurn()
      yield found
    }
  }
}
