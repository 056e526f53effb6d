import { Level } from 'level'
import { Batch, type Head, headOf } from './batch.ts'
import { Feeds } from './feeds.ts'
import {
  type Commit,
  type Entry,
  type Feed,
  HEAD,
  MAX_STEPS,
  OutcomeUnknown,
  type Range,
  type Snapshot,
  type Store,
  Unavailable,
} from './store.ts'

/** Steps that one durable write carries at most; what waits beyond that goes into the next. */
const MAX_GROUP = 4_000

/**
 * Keys go in as bytes: with text keys classic-level 3.0.0's getSync writes them into a buffer of a fixed size and does not
 * notice when the end of a long one is lost in the middle of a character, so that it reads another key.
 */
type Database = Level<Buffer, string>
type LevelSnapshot = ReturnType<Database['snapshot']>

interface Waiting {
  readonly commit: Commit
  readonly resolve: (admitted: boolean) => void
  readonly reject: (error: Error) => void
}

/** Opens (or creates) the database in `directory`. Throws LevelDB's own error; see openStateDirectory for what it means. */
export async function openLevel(directory: string): Promise<Store> {
  const db: Database = new Level(directory, { keyEncoding: 'buffer', valueEncoding: 'utf8' })
  await db.open()
  return new LevelStore(db)
}

/**
 * LevelDB behind the Store's promises: one writer queue with group commit. While one synced write is under way
 * newcomers gather, and the next write carries them all; a lone writer never waits.
 */
class LevelStore implements Store {
  readonly #db: Database
  readonly #feeds = new Feeds()
  readonly #queue: Waiting[] = []
  #draining: Promise<void> | undefined
  #head: Head
  #state: 'open' | 'failed' | 'closed' = 'open'

  constructor(db: Database) {
    this.#db = db
    this.#head = headOf(this.get(HEAD))
  }

  get writable(): boolean {
    return this.#state === 'open'
  }

  get(key: string): Entry | undefined {
    return readEntry(this.#db, key)
  }

  scan(range: Range): Promise<Entry[]> {
    return scanEntries(this.#db, range)
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
    const batch = new Batch(this.#head, (key) => this.get(key))
    const admitted: Waiting[] = []
    const refusedByQueued: Waiting[] = []
    for (const waiting of group) {
      try {
        const admission = batch.add(waiting.commit)
        if (admission === 'admitted') admitted.push(waiting)
        else if (admission === 'refused') waiting.resolve(false)
        else refusedByQueued.push(waiting)
      } catch (error) {
        waiting.reject(unavailable(error)) // a read failed, so its conditions could not be checked
      }
    }
    if (admitted.length === 0) return
    try {
      await this.#write(batch, !admitted.every(({ commit }) => commit.lossy === true))
    } catch (cause) {
      this.#fail([...admitted, ...refusedByQueued], cause)
      return
    }
    this.#head = batch.head
    for (const { commit } of admitted) this.#feeds.deliver(commit.signals)
    for (const { resolve } of admitted) resolve(true)
    // A refusal that rests on a queued write is true only now that the write is durable.
    for (const { resolve } of refusedByQueued) resolve(false)
  }

  #write(batch: Batch, sync: boolean): Promise<void> {
    const operations = [...batch.writes()].map(([text, entry]) => {
      const key = Buffer.from(text)
      return entry === null
        ? { type: 'del' as const, key }
        : { type: 'put' as const, key, value: encode(entry) }
    })
    return this.#db.batch(operations, { sync })
  }

  // After a failed sync nobody knows what is on the disk, so no later write may claim success.
  #fail(group: Waiting[], cause: unknown): void {
    this.#state = 'failed'
    const unknown = new OutcomeUnknown('the write failed; it may or may not be on the disk', { cause })
    for (const { reject } of group) reject(unknown)
    const refused = new Unavailable('an earlier write failed', { cause })
    for (const { reject } of this.#queue.splice(0)) reject(refused)
  }

  subscribe(feed: Feed): () => void {
    return this.#feeds.subscribe(feed)
  }

  snapshot(): Snapshot {
    const snapshot = this.#db.snapshot()
    return {
      get: (key) => readEntry(this.#db, key, snapshot),
      scan: (range) => scanEntries(this.#db, range, snapshot),
      close: () => snapshot.close(),
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closed'
    await this.#draining
    await this.#db.close()
  }
}

// Stored form: "<version in base 36> <value>".
function encode({ version, value }: Entry): string {
  return `${version.toString(36)} ${value}`
}

function decode(key: string, stored: string): Entry {
  const space = stored.indexOf(' ')
  return { key, value: stored.slice(space + 1), version: Number.parseInt(stored.slice(0, space), 36) }
}

function readEntry(db: Database, key: string, snapshot?: LevelSnapshot): Entry | undefined {
  try {
    const bytes = Buffer.from(key)
    const stored = snapshot === undefined ? db.getSync(bytes) : db.getSync(bytes, { snapshot })
    return stored === undefined ? undefined : decode(key, stored)
  } catch (error) {
    throw unavailable(error)
  }
}

async function scanEntries(db: Database, range: Range, snapshot?: LevelSnapshot): Promise<Entry[]> {
  try {
    const bytes = { ...range, gte: Buffer.from(range.gte), lt: Buffer.from(range.lt) }
    const rows = await db.iterator(snapshot === undefined ? bytes : { ...bytes, snapshot }).all()
    return rows.map(([key, stored]) => decode(key.toString('utf8'), stored))
  } catch (error) {
    throw unavailable(error)
  }
}

function unavailable(cause: unknown): Unavailable {
  return cause instanceof Unavailable ? cause : new Unavailable('the store cannot be read', { cause })
}
