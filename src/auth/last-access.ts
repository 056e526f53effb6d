import { setImmediate as nextTurn } from 'node:timers/promises'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import type { Step, Store } from '../store/store.ts'
import { type AccessBoard, latest } from './access-board.ts'
import type { Ledger } from './ledger.ts'
import { lastAccessKey, tokenKey } from './records.ts'

/** Steps of one write; more would hold up verification while they are encoded. */
const CHUNK = 200

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
      let steps: Step[] = []
      for (const [id, own] of this.#writing) {
        const at = latest(own, this.#board?.read(Number(id))) as number // so that no thread takes back what another wrote
        const key = lastAccessKey(id)
        const stored = await this.#store.get(key)
        // Used, and deleted before this: it leaves nothing behind.
        if (stored === undefined && (await this.#store.get(tokenKey(id))) === undefined) continue
        // Forward only: neither an older process nor a corrected clock takes back what was seen.
        if (stored === undefined || Number(stored.value) < at) steps.push({ key, write: String(at) })
        if (steps.length < CHUNK) continue
        await this.#ledger.note(steps)
        await nextTurn()
        steps = []
      }
      if (steps.length > 0) await this.#ledger.note(steps)
      this.#writing = new Map()
    } catch (error) {
      this.#pending = new Map([...this.#writing, ...this.#pending])
      throw error
    }
  }
}
