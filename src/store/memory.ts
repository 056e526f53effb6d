import { Batch, type Head, headOf } from './batch.ts'
import { Feeds } from './feeds.ts'
import {
  type Commit,
  type Entry,
  type Feed,
  MAX_STEPS,
  prefixed,
  type Range,
  type Snapshot,
  type Store,
  Unavailable,
} from './store.ts'

/** The Store's promises in a Map, for tests: durable as long as the object lives. */
export function memoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  #entries = new Map<string, Entry>()
  readonly #feeds = new Feeds()
  #head: Head = headOf(undefined)
  #open = true

  /** Nothing waits: what is committed is there. */
  readonly queued = 0

  get writable(): boolean {
    return this.#open
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  async scan(range: Range): Promise<Entry[]> {
    return scanMap(this.#entries, range)
  }

  async commit(commit: Commit): Promise<boolean> {
    if (commit.steps.length > MAX_STEPS) throw new RangeError(`more than ${MAX_STEPS} steps`)
    if (!this.#open) throw new Unavailable('the store is closed')
    const batch = new Batch(this.#head, (key) => this.#entries.get(key))
    if (batch.add(commit) !== 'admitted') return false
    for (const [key, entry] of batch.writes()) {
      if (entry === null) this.#entries.delete(key)
      else this.#entries.set(key, entry)
    }
    this.#head = batch.head
    this.#feeds.deliver(commit)
    return true
  }

  subscribe(feed: Feed): () => void {
    return this.#feeds.subscribe(feed)
  }

  refresh(): void {}

  snapshot(): Snapshot {
    const entries = new Map(this.#entries)
    return {
      get: (key) => entries.get(key),
      scan: async (range) => scanMap(entries, range),
      async *inspect(prefix) {
        const all = scanMap(entries, { ...prefixed(prefix), limit: Number.POSITIVE_INFINITY })
        for (const entry of all) yield { entry }
      },
      close: async () => {},
    }
  }

  async close(): Promise<void> {
    this.#open = false
  }
}

function scanMap(entries: ReadonlyMap<string, Entry>, { gte, lt, limit, reverse }: Range): Entry[] {
  const found = [...entries.values()]
    .filter(({ key }) => compareBytes(key, gte) >= 0 && compareBytes(key, lt) < 0)
    .sort((a, b) => compareBytes(a.key, b.key))
  return (reverse === true ? found.reverse() : found).slice(0, limit)
}

// JavaScript compares UTF-16 units, which orders characters beyond U+FFFF differently from their bytes.
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
