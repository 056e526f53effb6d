import { setImmediate as nextTurn } from 'node:timers/promises'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { Step, Store } from '../store/store.ts'
import { type AccessBoard, latest } from './access-board.ts'
import type { Ledger } from './ledger.ts'
import { lastAccessKey, tokenKey } from './records.ts'

/** Tokens of one write; more would hold up verification while they are encoded. */
const CHUNK = 100

interface Note {
  readonly id: string
  readonly at: number
  readonly steps: readonly Step[]
}

/** When each token was last accepted. Kept in memory and written now and then, so that a verification writes nothing. */
export class LastAccess {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #board: AccessBoard | undefined
  #pending = new Map<string, number>()
  /** What a flush is writing: not pending any more, not readable yet. */
  #writing = new Map<string, number>()
  #flushing: Promise<void> = Promise.resolve()

  /** `board`: what other threads have seen and not written yet. */
  constructor(store: Store, ledger: Ledger, clock: Clock, board?: AccessBoard) {
    this.#store = store
    this.#ledger = ledger
    this.#clock = clock
    this.#board = board
  }

  touch(id: string): void {
    const now = this.#clock.now()
    this.#pending.set(id, now)
    this.#board?.touch(Number(id), now)
  }

  /** Milliseconds since 1970, or undefined if it was never used. */
  read(id: string): Maybe<number | undefined> {
    const own = this.#pending.get(id) ?? this.#writing.get(id)
    const recent = latest(own, this.#board?.read(Number(id)))
    if (recent !== undefined) return recent
    return after(this.#store.get(lastAccessKey(id)), (stored) => stored && Number(stored.value))
  }

  /** Writes what has gathered. One flush at a time; a failed one keeps what it could not write. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#write())
    return this.#flushing
  }

  async #write(): Promise<void> {
    this.#writing = this.#pending
    this.#pending = new Map()
    try {
      let notes: Note[] = []
      for (const [id, own] of this.#writing) {
        const at = latest(own, this.#board?.read(Number(id))) as number // so that no thread takes back what another wrote
        const steps = await this.#stepsFor(id, at)
        if (steps.length > 0) notes.push({ id, at, steps })
        if (notes.length < CHUNK) continue
        await this.#note(notes)
        await nextTurn()
        notes = []
      }
      if (notes.length > 0) await this.#note(notes)
      this.#writing = new Map()
    } catch (error) {
      this.#pending = new Map([...this.#writing, ...this.#pending])
      throw error
    }
  }
  /** They expect the token as it is: one that is deleted before they are written leaves nothing behind. */
  async #stepsFor(id: string, at: number): Promise<Step[]> {
    const token = await this.#store.get(tokenKey(id))
    if (token === undefined) return []
    const key = lastAccessKey(id)
    const stored = await this.#store.get(key)
    // Forward only: neither an older process nor a corrected clock takes back what was seen.
    if (stored !== undefined && Number(stored.value) >= at) return []
    return [
      { key: token.key, expect: token.version },
      { key, write: String(at) },
    ]
  }

  /** All at once or, where one of the tokens was changed meanwhile, each by itself; what was changed is written next time. */
  async #note(notes: readonly Note[]): Promise<void> {
    if (await this.#ledger.note(notes.flatMap(({ steps }) => steps))) return
    const alone = notes.map(async ({ id, at, steps }) => {
      const written = await this.#ledger.note(steps)
      if (!written && !this.#pending.has(id)) this.#pending.set(id, at)
    })
    await Promise.all(alone)
  }
}
