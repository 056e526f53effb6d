import { setTimeout as pause } from 'node:timers/promises'
import type { Maybe } from '../protocol/maybe.ts'
import { Batch, type Head } from './batch.ts'
import { Feeds } from './feeds.ts'
import { type LevelPlaces, type Opened, openDatabase } from './level-opening.ts'
import {
  type Commit,
  type Entry,
  type Feed,
  MAX_STEPS,
  OutcomeUnknown,
  type Range,
  type Snapshot,
  type Store,
  Unavailable,
} from './store.ts'
import { refuseUnreadable } from './tables.ts'

/** Steps that one durable write carries at most; what waits beyond that goes into the next. */
const MAX_GROUP = 4_000
/** How often a store whose write failed looks whether it can be opened again, in milliseconds. */
const RECOVERY_EVERY_MS = 1_000
/** Not while the daemon starts, in milliseconds. */
const BALLAST_AFTER_MS = 1_000

interface Waiting {
  readonly commit: Commit
  readonly resolve: (admitted: boolean) => void
  readonly reject: (error: Error) => void
}

/** Other threads of this process that have the database open. */
export interface Companions {
  /** Resolves when none of them has it open any more: only then can it be opened anew. */
  letGo(): Promise<void>
  /** False: it could not be opened. */
  takeUp(opened: boolean): void
  /** Whether commits are accepted from now on. */
  accepts(writable: boolean): void
}

/** Opens (or creates) the database; see openDatabase for what can go wrong. */
export async function openLevel(places: LevelPlaces, companions?: Companions): Promise<Store> {
  return new LevelStore(places, await openDatabase(places, companions !== undefined), companions)
}

/**
 * LevelDB behind the Store's promises: one writer queue with group commit. While one synced write is under way
 * newcomers gather, and the next write carries them all; a lone writer never waits. After a failed write nobody knows what
 * is on the disk: writes are refused, reads go on, and the database is opened anew before it takes another write.
 */
class LevelStore implements Store {
  readonly #places: LevelPlaces
  readonly #companions: Companions | undefined
  readonly #feeds = new Feeds()
  readonly #queue: Waiting[] = []
  #draining: Promise<void> | undefined
  #opened: Opened
  #head: Head
  #state: 'open' | 'failed' | 'closed' = 'open'
  /** While the database is closed to be opened anew. */
  #reopening: Promise<void> | undefined
  readonly #closing = new AbortController()
  #ballastTimer: NodeJS.Timeout | undefined
  #recovery: Promise<void> = Promise.resolve()

  constructor(places: LevelPlaces, opened: Opened, companions: Companions | undefined) {
    this.#places = places
    this.#companions = companions
    this.#opened = opened
    this.#head = opened.head
    this.#become(opened.cramped ? 'failed' : 'open')
    if (opened.cramped) this.#recovery = this.#recover()
    else this.#ballastTimer = setTimeout(() => this.#restoreBallast(), BALLAST_AFTER_MS).unref()
  }

  #become(state: 'open' | 'failed' | 'closed'): void {
    this.#state = state
    this.#companions?.accepts(state === 'open')
  }

  get queued(): number {
    return this.#queue.length
  }

  get writable(): boolean {
    return this.#state === 'open'
  }

  get(key: string): Maybe<Entry | undefined> {
    if (this.#reopening !== undefined) return this.#reopening.then(() => this.#opened.db.get(key))
    return this.#opened.db.get(key)
  }

  async scan(range: Range): Promise<Entry[]> {
    await this.#reopening
    return this.#opened.db.scan(range)
  }

  commit(commit: Commit): Promise<boolean> {
    if (commit.steps.length > MAX_STEPS) return Promise.reject(new RangeError(`more than ${MAX_STEPS} steps`))
    if (!this.writable) return Promise.reject(new Unavailable(`the store is ${this.#state}`))
    return new Promise((resolve, reject) => {
      this.#queue.push({ commit, resolve, reject })
      this.#draining ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    await null // what is committed in the same turn shares the first write
    while (this.#queue.length > 0) await this.#writeGroup(this.#takeGroup())
    this.#draining = undefined
  }

  #takeGroup(): Waiting[] {
    let steps = 0
    let count = 0
    for (const { commit } of this.#queue) {
      steps += commit.steps.length + (commit.append?.length ?? 0)
      if (count > 0 && steps > MAX_GROUP) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #writeGroup(group: Waiting[]): Promise<void> {
    const { db, continuity } = this.#opened
    const batch = new Batch(this.#head, (key) => db.get(key))
    const admitted: Waiting[] = []
    const refusedByQueued: Waiting[] = []
    for (const waiting of group) {
      try {
        const admission = batch.add(waiting.commit)
        if (admission === 'admitted') admitted.push(waiting)
        else if (admission === 'refused') waiting.resolve(false)
        else refusedByQueued.push(waiting)
      } catch (error) {
        // A read failed, so its conditions could not be checked.
        waiting.reject(new Unavailable('the store cannot be read', { cause: error }))
      }
    }
    if (admitted.length === 0) return
    try {
      await db.write(batch, admitted.every(({ commit }) => commit.lossy === true) ? undefined : continuity)
    } catch (cause) {
      this.#fail([...admitted, ...refusedByQueued], cause)
      return
    }
    this.#head = batch.head
    for (const { commit } of admitted) this.#feeds.deliver(commit)
    for (const { resolve } of admitted) resolve(true)
    // A refusal that rests on a queued write is true only now that the write is durable.
    for (const { resolve } of refusedByQueued) resolve(false)
  }

  #fail(group: Waiting[], cause: unknown): void {
    if (this.#state === 'open') this.#become('failed')
    const unknown = new OutcomeUnknown('the write failed; it may or may not be on the disk', { cause })
    for (const { reject } of group) reject(unknown)
    const refused = new Unavailable('an earlier write failed', { cause })
    for (const { reject } of this.#queue.splice(0)) reject(refused)
    this.#recovery = this.#recover()
  }

  /** Until it succeeds or the store is closed. Reads go on from the old handle until there is reason to believe in a new one. */
  async #recover(): Promise<void> {
    const { signal } = this.#closing
    while (this.#state === 'failed') {
      await pause(RECOVERY_EVERY_MS, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted) return
      if (!(await this.#canWrite())) continue
      await this.#reopen()
    }
  }

  async #canWrite(): Promise<boolean> {
    try {
      const { ballast, db } = this.#places
      if (!ballast.hasRoom() || !(await ballast.probe())) return false
      refuseUnreadable(db) // before the handle that still reads is given up
      return true
    } catch {
      return false
    }
  }

  async #reopen(): Promise<void> {
    let done = () => {}
    let opened = false
    this.#reopening = new Promise((resolve) => {
      done = resolve
    })
    try {
      await this.#companions?.letGo()
      await this.#opened.db.close()
      this.#opened.continuity.close()
      this.#opened = await openDatabase(this.#places, this.#companions !== undefined)
      opened = true
      this.#head = this.#opened.head
      if (!this.#opened.cramped) this.#become('open')
      this.#feeds.reset() // what was refused as unknown may be there
      this.#restoreBallast()
    } catch {
      // It stays closed: reads fail, writes are refused, and the next try is in a moment.
    } finally {
      this.#companions?.takeUp(opened)
      this.#reopening = undefined
      done()
    }
  }

  /** A disk without room for it is no reason not to serve. */
  #restoreBallast(): void {
    void this.#places.ballast.restore().catch(() => {})
  }

  subscribe(feed: Feed): () => void {
    return this.#feeds.subscribe(feed)
  }

  refresh(): void {}

  snapshot(): Snapshot {
    return this.#opened.db.snapshot()
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#become('closed')
    this.#closing.abort()
    clearTimeout(this.#ballastTimer)
    await this.#draining
    await this.#recovery
    await this.#places.ballast.settle()
    await this.#opened.db.close()
    this.#opened.continuity.close()
  }
}
