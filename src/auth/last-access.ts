import { after, type Maybe } from '../protocol/maybe.ts'
import type { Clock } from '../store/clock.ts'
import { Pace } from '../store/pace.ts'
import type { Step, Store } from '../store/store.ts'
import { type AccessBoard, latest } from './access-board.ts'
import type { Ledger } from './ledger.ts'
import type { Access, Live } from './live.ts'
import { lastAccessKey, tokenKey } from './records.ts'

/** Tokens of one write; more would hold up verification while they are encoded. */
const CHUNK = 25
/** Where so many others were used meanwhile, memory is what runs out: they are written in large pieces, without a rest. */
const MANY = 20_000
const LARGE_CHUNK = 1_000

/** When each token was last accepted. Kept in memory and written now and then, so that a verification writes nothing. */
export class LastAccess {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #board: AccessBoard | undefined
  #pending = new Map<string, Access>()
  /** What a flush is writing, and what the one before has written: not pending any more, and not to be read anew. */
  #writing = new Map<string, Access>()
  #written = new Map<string, Access>()
  /** Of the write that what is pending waits for. */
  #round = 0
  #flushing: Promise<void> = Promise.resolve()

  /** `board`: what other threads have seen and not written yet. */
  constructor(store: Store, ledger: Ledger, clock: Clock, board?: AccessBoard) {
    this.#store = store
    this.#ledger = ledger
    this.#clock = clock
    this.#board = board
  }

  /** `now`: milliseconds since 1970. */
  touch(live: Live, now = this.#clock.now()): void {
    const access = live.access?.round === this.#round ? live.access : this.#accessOf(live)
    access.at = now
    access.version = live.version
    this.#board?.touch(Number(access.id), now)
  }

  /** The one that is pending; found at the token, most of the time, without a look into the map. */
  #accessOf(live: Live): Access {
    const { id } = live.record
    const access = this.#pending.get(id) ?? { id, version: live.version, at: 0, round: this.#round }
    this.#pending.set(id, access)
    live.access = access
    return access
  }

  /** Milliseconds since 1970, or undefined if it was never used. */
  read(id: string): Maybe<number | undefined> {
    const own = this.#pending.get(id) ?? this.#writing.get(id)
    const recent = latest(own?.at, this.#board?.read(Number(id)))
    return recent ?? this.#stored(id)
  }

  #stored(id: string): Maybe<number | undefined> {
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
    this.#round++
    const pace = new Pace()
    try {
      let accesses: Access[] = []
      for (const access of this.#writing.values()) {
        if (await this.#isNews(access)) accesses.push(access)
        if (accesses.length < (this.#isBehind ? LARGE_CHUNK : CHUNK)) continue
        await this.#note(accesses)
        if (!this.#isBehind) await pace.breathe()
        accesses = []
      }
      if (accesses.length > 0) await this.#note(accesses)
      this.#written = this.#writing.size < MANY ? this.#writing : new Map()
      this.#writing = new Map()
    } catch (error) {
      this.#pending = new Map([...this.#writing, ...this.#pending])
      throw error
    }
  }

  get #isBehind(): boolean {
    return this.#pending.size >= MANY
  }

  /** Forward only: neither an older process nor a corrected clock nor another thread takes back what was seen. */
  #isNews(access: Access): Maybe<boolean> {
    const { id } = access
    access.at = latest(access.at, this.#board?.read(Number(id))) as number
    // Where other threads write as well, what this one has written need not be what is stored.
    const written = this.#board === undefined ? this.#written.get(id) : undefined
    return after(written?.at ?? this.#stored(id), (before) => {
      if (before === undefined || before < access.at) return true
      access.at = before // what is stored: the next one is compared with it
      return false
    })
  }

  /** All at once or, where one of the tokens was changed meanwhile, each by itself. */
  async #note(accesses: readonly Access[]): Promise<void> {
    if (await this.#ledger.note(accesses.flatMap(stepsFor))) return
    await Promise.all(accesses.map((access) => this.#noteAlone(access)))
  }

  /** What was changed once more is written next time, what was deleted never. */
  async #noteAlone(access: Access): Promise<void> {
    const token = await this.#store.get(tokenKey(access.id))
    if (token === undefined || !(await this.#isNews(access))) return // another thread may have written it meanwhile
    access.version = token.version
    const written = await this.#ledger.note(stepsFor(access))
    if (written) return
    this.#writing.delete(access.id) // it is not what was written
    if (!this.#pending.has(access.id)) this.#pending.set(access.id, access)
  }
}

/** They expect the token as it is: one that is deleted before they are written leaves nothing behind. */
function stepsFor({ id, version, at }: Access): Step[] {
  return [
    { key: tokenKey(id), expect: version },
    { key: lastAccessKey(id), write: String(at) },
  ]
}
