import { ClassicLevel } from 'classic-level'
import type { Batch } from './batch.ts'
import { type Continuity, MARKERS } from './continuity.ts'
import { DamagedRecord, decodeRecord, encodeRecord } from './record.ts'
import { type Entry, type Found, prefixed, type Range, type Snapshot, Unavailable } from './store.ts'

/**
 * Keys go in as bytes: with text keys classic-level 3.0.0's getSync writes them into a buffer of a fixed size and does not
 * notice when the end of a long one is lost in the middle of a character, so that it reads another key.
 */
type Native = ClassicLevel<Buffer, string>
type NativeSnapshot = ReturnType<Native['snapshot']>

const PAGE = 1_000

export interface OpeningOptions {
  /** Whether several threads of this process open it; then all of them have to say so. */
  readonly shared?: boolean
  readonly create?: boolean
}

/** An open LevelDB database: records with checksums, read and written. */
export class LevelDatabase {
  readonly #db: Native

  private constructor(db: Native) {
    this.#db = db
  }

  /** Opens (or creates) the database in `directory`. Throws LevelDB's own error; see openStateDirectory for what it means. */
  static async open(
    directory: string,
    { shared = false, create = true }: OpeningOptions = {},
  ): Promise<LevelDatabase> {
    const db: Native = new ClassicLevel(directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'utf8',
      multithreading: shared,
      createIfMissing: create,
    })
    await db.open()
    return new LevelDatabase(db)
  }

  /** Throws Unavailable, DamagedRecord. */
  get(key: string, snapshot?: NativeSnapshot): Entry | undefined {
    let stored: string | undefined
    try {
      const bytes = Buffer.from(key)
      stored = snapshot === undefined ? this.#db.getSync(bytes) : this.#db.getSync(bytes, { snapshot })
    } catch (error) {
      throw unavailable(error)
    }
    return stored === undefined ? undefined : decodeRecord(key, stored)
  }

  async scan(range: Range, snapshot?: NativeSnapshot): Promise<Entry[]> {
    return (await this.#rows(range, snapshot)).map(([key, stored]) => decodeRecord(key, stored))
  }

  async #rows(range: Range, snapshot?: NativeSnapshot): Promise<[key: string, stored: string][]> {
    try {
      const bytes = { ...range, gte: Buffer.from(range.gte), lt: Buffer.from(range.lt) }
      const rows = await this.#db.iterator(snapshot === undefined ? bytes : { ...bytes, snapshot }).all()
      return rows.map(([key, stored]) => [key.toString('utf8'), stored])
    } catch (error) {
      throw unavailable(error)
    }
  }

  /** Everything in a range, damaged or not, page by page. */
  async *inspect(prefix: string, snapshot?: NativeSnapshot): AsyncGenerator<Found> {
    let { gte, lt } = prefixed(prefix)
    for (;;) {
      const rows = await this.#rows({ gte, lt, limit: PAGE }, snapshot)
      for (const [key, stored] of rows) yield inspected(key, stored)
      if (rows.length < PAGE) return
      gte = `${rows.at(-1)?.[0]}\0`
    }
  }

  /** Every marker of the durable writes. */
  async markers(): Promise<Entry[]> {
    const markers: Entry[] = []
    for await (const found of this.inspect(MARKERS)) if ('entry' in found) markers.push(found.entry)
    return markers
  }

  /** Writes a batch. With `continuity`: synced, and with its marker; it is durable when this resolves. */
  async write(batch: Batch, continuity: Continuity | undefined): Promise<void> {
    const writes = this.#db.batch()
    let bytes = 0
    for (const [key, entry] of batch.writes()) {
      if (entry === null) writes.del(Buffer.from(key))
      else bytes += put(writes, entry)
    }
    if (continuity === undefined) {
      await writes.write({ sync: false })
      return
    }
    const { commit } = batch.head
    const { marker, trimmed } = continuity.steps(commit)
    put(writes, marker)
    for (const key of trimmed) writes.del(Buffer.from(key))
    await writes.write({ sync: true })
    continuity.done(commit, bytes, trimmed.length)
  }

  /** Fills a new database. What is not durable at the end is not there: it is synced once. */
  async fill(entries: AsyncIterable<Entry>): Promise<void> {
    let page = this.#db.batch()
    for await (const entry of entries) {
      put(page, entry)
      if (page.length < PAGE) continue
      await page.write({ sync: false })
      page = this.#db.batch()
    }
    await page.write({ sync: true })
  }

  snapshot(): Snapshot {
    const snapshot = this.#db.snapshot()
    return {
      get: (key) => this.get(key, snapshot),
      scan: (range) => this.scan(range, snapshot),
      inspect: (prefix) => this.inspect(prefix, snapshot),
      close: () => snapshot.close(),
    }
  }

  close(): Promise<void> {
    return this.#db.close()
  }
}

/** One by one: of an array of writes each would cost thirty times as much (measured: 13 against 0.4 microseconds). Returns its bytes. */
function put(writes: ReturnType<Native['batch']>, entry: Entry): number {
  const key = Buffer.from(entry.key)
  const value = encodeRecord(entry)
  writes.put(key, value)
  return key.length + value.length
}

function inspected(key: string, stored: string): Found {
  try {
    return { entry: decodeRecord(key, stored) }
  } catch (error) {
    if (error instanceof DamagedRecord) return { damaged: key }
    throw error
  }
}

function unavailable(cause: unknown): Unavailable {
  return cause instanceof Unavailable ? cause : new Unavailable('the store cannot be read', { cause })
}
