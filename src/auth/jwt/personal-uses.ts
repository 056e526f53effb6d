import type { Clock } from '../../store/clock.ts'
import type { Store } from '../../store/store.ts'
import { type AccessBoard, latest, numberOf } from '../access-board.ts'
import type { Ledger } from '../ledger.ts'
import { personalKey } from '../records.ts'
import { parsePersonal } from './personal-record.ts'

interface Parts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  /** What other threads have seen and not written yet. */
  readonly board?: AccessBoard | undefined
}

/** When personal signed tokens were last accepted: kept in memory until it is written, so that a verification writes nothing. */
export class PersonalUses {
  readonly #parts: Parts
  /** Milliseconds since 1970. */
  readonly #pending = new Map<string, number>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  touch(jti: string): void {
    const now = this.#parts.clock.now()
    this.#pending.set(jti, now)
    this.#parts.board?.touch(numberOf(jti), now)
  }

  /** Undefined: what is stored is all that is known. */
  read(jti: string): number | undefined {
    return latest(this.#pending.get(jti), this.#parts.board?.read(numberOf(jti)))
  }

  /** What cannot be written is kept for the next time. */
  async flush(): Promise<void> {
    for (const [jti, at] of [...this.#pending]) {
      if ((await this.#write(jti, at)) && this.#pending.get(jti) === at) this.#pending.delete(jti)
    }
  }

  /** Only over what it has read: a use must never bring back one that was revoked meanwhile (pitfall 23). False: it was changed. */
  async #write(jti: string, last_used_at: number): Promise<boolean> {
    const { store, ledger } = this.#parts
    const entry = await store.get(personalKey(jti))
    if (entry === undefined) return true
    const record = parsePersonal(entry)
    if ((record.last_used_at ?? 0) >= last_used_at) return true // forward only: another thread has seen it later
    const write = JSON.stringify({ ...record, last_used_at })
    return ledger.note([{ key: entry.key, expect: entry.version, write }])
  }
}
