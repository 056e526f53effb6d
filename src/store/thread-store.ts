import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { Maybe } from '../protocol/maybe.ts'
import { Feeds } from './feeds.ts'
import { LevelDatabase } from './level-database.ts'
import { NEWS, type Said, type StoreShare, type Told, WRITABLE } from './sharing.ts'
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

interface Pending {
  readonly resolve: (admitted: boolean) => void
  readonly reject: (error: Error) => void
}

/**
 * The Store's promises in a thread beside the main one: it reads the database of the process itself, the main thread
 * writes for it, and refresh() takes at once what the main thread has sent before it acknowledged anything newer.
 */
export class ThreadStore implements Store {
  readonly #path: string
  readonly #port: MessagePort
  readonly #state: Int32Array
  readonly #feeds = new Feeds()
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #db: LevelDatabase
  /** The count of news up to which all was applied. */
  #seen: number
  #applying = false
  #closed = false
  /** Opening and closing, one after the other. */
  #turn: Promise<void> = Promise.resolve()
  /** While the database is closed to be opened anew: resolves when it is. */
  #paused: Promise<void> | undefined
  #goOn: () => void = () => {}

  private constructor({ db: path, port, state }: StoreShare, db: LevelDatabase) {
    this.#path = path
    this.#port = port
    this.#state = new Int32Array(state)
    this.#db = db
    this.#seen = Atomics.load(this.#state, NEWS)
    port.on('message', (told: Told) => this.#apply(told))
  }

  static async open(share: StoreShare): Promise<ThreadStore> {
    return new ThreadStore(share, await openShared(share.db))
  }

  refresh(): void {
    const news = Atomics.load(this.#state, NEWS)
    if (news === this.#seen || this.#applying) return
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; ) {
      this.#apply(next.message as Told)
      next = receiveMessageOnPort(this.#port)
    }
    this.#seen = news
  }

  /** Whoever hears of it may ask for news in turn: what has come meanwhile waits until this is applied. */
  #apply(told: Told): void {
    this.#applying = true
    try {
      this.#take(told)
    } finally {
      this.#applying = false
    }
  }

  #take(told: Told): void {
    switch (told.kind) {
      case 'signal':
        this.#feeds.signal(told.payload)
        break
      case 'appended':
        this.#feeds.appended()
        break
      case 'reset':
        this.#feeds.reset()
        break
      case 'let go':
        this.#letGo()
        break
      case 'take up':
        this.#takeUp(told.opened)
        break
      case 'outcome':
        this.#settle(told.id)?.resolve(told.admitted)
        break
      case 'failed':
        this.#settle(told.id)?.reject(errorOf(told.error, told.message))
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    return pending
  }

  get writable(): boolean {
    return !this.#closed && Atomics.load(this.#state, WRITABLE) === 1
  }

  /** Of this thread alone. */
  get queued(): number {
    return this.#pending.size
  }

  get(key: string): Maybe<Entry | undefined> {
    if (this.#paused !== undefined) return this.#paused.then(() => this.#db.get(key))
    return this.#db.get(key)
  }

  async scan(range: Range): Promise<Entry[]> {
    await this.#paused
    return this.#db.scan(range)
  }

  commit(commit: Commit): Promise<boolean> {
    if (commit.steps.length > MAX_STEPS) return Promise.reject(new RangeError(`more than ${MAX_STEPS} steps`))
    if (!this.writable) return Promise.reject(new Unavailable('the store takes no writes'))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      this.#say({ kind: 'commit', id, commit })
    })
  }

  #say(said: Said): void {
    this.#port.postMessage(said)
  }

  subscribe(feed: Feed): () => void {
    return this.#feeds.subscribe(feed)
  }

  snapshot(): Snapshot {
    return this.#db.snapshot()
  }

  /** As long as one thread has it open, nobody can open it anew. */
  #letGo(): void {
    this.#paused ??= new Promise((resolve) => {
      this.#goOn = resolve
    })
    this.#next(async () => {
      await this.#db.close()
      this.#say({ kind: 'released' })
    })
  }

  #takeUp(opened: boolean): void {
    this.#next(async () => {
      try {
        if (opened) this.#db = await openShared(this.#path)
      } finally {
        this.#paused = undefined
        this.#goOn()
      }
    })
  }

  #next(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch(() => {}) // it stays closed: reads fail
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    while (this.#pending.size > 0) await new Promise((resolve) => setImmediate(resolve))
    await this.#turn
    await this.#db.close()
    this.#port.close()
  }
}

/** It is there: the main thread has it open. */
function openShared(path: string): Promise<LevelDatabase> {
  return LevelDatabase.open(path, { shared: true, create: false })
}

function errorOf(name: string, message: string): Error {
  if (name === 'OutcomeUnknown') return new OutcomeUnknown(message)
  if (name === 'Unavailable') return new Unavailable(message)
  return name === 'RangeError' ? new RangeError(message) : new Error(message)
}
