import { randomUUID } from 'node:crypto'
import { Failure, tooMany } from '../protocol/failures.ts'
import { type Head, headOf } from '../store/batch.ts'
import { Pace } from '../store/pace.ts'
import { type Entry, HEAD, prefixed, type Snapshot, type Store } from '../store/store.ts'

/** A snapshot keeps old data on the disk, so there are few, and none that nobody reads from. */
const MOST = 4
const IDLE_MS = 60_000
/** Entries that are read at a time, and characters after which a page is full. */
const STEP = 50
const PAGE = 64 * 1024 // as JSON text it holds up others for a fraction of a millisecond

/** What a backup keeps: records, last access, users, the audit log, numbers. What is derived from them is made anew. */
export const KEPT: readonly string[] = ['t/', 'a/', 'k/', 'y/', 'j/', 'J/', 'U/', 'D/', 'e/', 'm/']

export interface BackupPage {
  /** Key and value. */
  readonly entries: readonly (readonly [key: string, value: string])[]
  /** Where to go on; null: that was all. */
  readonly next: string | null
}

interface Open {
  readonly snapshot: Snapshot
  timer: NodeJS.Timeout
}

/** Consistent reading of everything while everything goes on: the store as it was at one moment, page by page. */
export class Backups {
  readonly #store: Store
  /** Tells which pepper the hashes were made with. */
  readonly fingerprint: string
  readonly #open = new Map<string, Open>()

  constructor(store: Store, fingerprint: string) {
    this.#store = store
    this.fingerprint = fingerprint
  }

  /** Throws `limited`. */
  async begin(): Promise<{ readonly id: string; readonly head: Head }> {
    if (this.#open.size >= MOST) {
      throw tooMany('Too many backups are under way: wait for them.', 60)
    }
    const snapshot = this.#store.snapshot()
    const id = randomUUID()
    this.#open.set(id, { snapshot, timer: this.#expire(id) })
    return { id, head: headOf(await snapshot.get(HEAD)) }
  }

  /** From the key `from` on. Throws `invalid_params` for a backup that is over. */
  async read(id: string, from: string): Promise<BackupPage> {
    const open = this.#open.get(id)
    if (open === undefined) {
      throw new Failure(
        'invalid_params',
        'There is no such backup under way; one that nobody reads from ends after a minute.',
      )
    }
    clearTimeout(open.timer)
    open.timer = this.#expire(id)
    return readPage(open.snapshot, from)
  }

  async end(id: string): Promise<void> {
    const open = this.#open.get(id)
    if (open === undefined) return
    this.#open.delete(id)
    clearTimeout(open.timer)
    await open.snapshot.close()
  }

  #expire(id: string): NodeJS.Timeout {
    return setTimeout(() => void this.end(id), IDLE_MS).unref()
  }

  async close(): Promise<void> {
    for (const id of [...this.#open.keys()]) await this.end(id)
  }
}

/** A page of what a backup keeps, from a key on. Descriptions are long: it is their length that fills a page. */
export async function readPage(snapshot: Snapshot, from: string): Promise<BackupPage> {
  const pace = new Pace()
  const entries: Entry[] = []
  let size = 0
  for (const prefix of [...KEPT].sort()) {
    const { gte: first, lt } = prefixed(prefix)
    for (let gte = from > first ? from : first; gte < lt; ) {
      const read = await snapshot.scan({ gte, lt, limit: STEP })
      entries.push(...read)
      size += read.reduce((sum, { value }) => sum + value.length, 0)
      const last = read.at(-1)
      if (last === undefined) break
      gte = `${last.key}\0`
      if (size >= PAGE) return { entries: entries.map(pair), next: gte }
      await pace.breathe()
    }
  }
  return { entries: entries.map(pair), next: null }
}

function pair({ key, value }: Entry): readonly [key: string, value: string] {
  return [key, value]
}
