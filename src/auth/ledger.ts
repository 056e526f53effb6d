import { Failure } from '../protocol/failures.ts'
import { CLOCK_MARK, type Clock } from '../store/clock.ts'
import { DamagedRecord } from '../store/record.ts'
import { type Commit, OutcomeUnknown, type Step, type Store, Unavailable } from '../store/store.ts'
import type { Actor, LiveRecord } from './records.ts'

/** How often a decision that somebody overtook is made anew before the caller is told to try later. */
const ATTEMPTS = 256

/** What happened, for the audit log. Ids and names only; never a secret. */
export interface AuditEvent {
  readonly event:
    | `token.${'mint' | 'create' | 'generate' | 'rotate' | 'update' | 'revoke' | 'delete' | 'sweep'}`
    | `token.${'expire' | 'rest' | 'use_up' | 'ending' | 'late_use'}`
    | `user.${'create' | 'update' | 'delete'}`
    | 'token.refuse'
    | 'upstream.call'
    | `jwt.${'configure' | 'delete' | 'issue' | 'personal' | 'revoke'}`
    | 'config.change'
    | 'audit.checkpoint'
    | 'refusals'
    | 'clock.reset'
    | 'method.call'
    | `store.${'restore' | 'repair' | 'import'}`
  readonly by: Actor
  readonly [detail: string]: unknown
}

/** A decision: its state, its indexes and its audit line. They are committed together or not at all. */
export interface Decision {
  readonly steps: readonly Step[]
  readonly audit: readonly AuditEvent[]
  readonly signals?: readonly string[]
}

/** Where decisions become durable. Every commit carries the clock's mark, so that time never falls behind what was done. */
export class Ledger {
  readonly #store: Store
  readonly #clock: Clock
  readonly #announce: (event: AuditEvent) => void

  /** `announce` is told of everything that was done, for the log; the record of it is in the store. */
  constructor(store: Store, clock: Clock, announce: (event: AuditEvent) => void = () => {}) {
    this.#store = store
    this.#clock = clock
    this.#announce = announce
  }

  /** True: durable. False: somebody was faster; read again and decide anew. Throws `unavailable`. */
  commit({ steps, audit, signals = [] }: Decision): Promise<boolean> {
    const at = this.#clock.now()
    const append = audit.map((event) => `{"at":${at},${JSON.stringify(event).slice(1)}`)
    return this.#write({ steps: [...steps, this.#mark()], append, signals }, audit)
  }

  /** Runs a decision until it commits: undefined means that somebody was faster, so that it has to be made anew. */
  async decide<T>(attempt: (count: number) => Promise<T | undefined>): Promise<T> {
    for (let count = 0; count < ATTEMPTS; count++) {
      const outcome = await attempt(count)
      if (outcome !== undefined) return outcome
    }
    throw new Failure('unavailable', 'Others keep changing the same object: try again.')
  }

  /** For what may be lost in a power cut: last access, and the mark itself. Never synced. False: a condition failed. */
  note(steps: readonly Step[]): Promise<boolean> {
    return this.#write({ steps: [...steps, this.#mark()], lossy: true }, [])
  }

  /** Writes the mark alone, so that a clock set back during a restart does not revive what has expired since the last commit. */
  async markTime(): Promise<void> {
    await this.note([])
  }

  #mark(): Step {
    return { key: CLOCK_MARK, write: String(this.#clock.believed()) }
  }

  async #write(commit: Commit, audit: readonly AuditEvent[]): Promise<boolean> {
    let committed: boolean
    try {
      committed = await this.#store.commit(commit)
    } catch (error) {
      throw storeFailure(error)
    }
    if (committed) for (const event of audit) this.#announce(event)
    return committed
  }
}

export function describeToken(
  event: AuditEvent['event'],
  by: Actor,
  { id, name, user }: LiveRecord,
  more: object = {},
): AuditEvent {
  return { event, by, token: id, name, user, ...more }
}

/** A store's error as a failure that a caller may see. */
export function storeFailure(error: unknown): unknown {
  if (error instanceof OutcomeUnknown) {
    return new Failure(
      'unavailable',
      'The write failed and may or may not have happened: look before you try again.',
      {
        cause: error,
      },
    )
  }
  if (error instanceof DamagedRecord) {
    const advice = 'What is stored about this is damaged: tell the operator to run "postern check".'
    return new Failure('unavailable', advice, { cause: error })
  }
  if (error instanceof Unavailable) {
    return new Failure('unavailable', 'The store does not take this now: try again later.', { cause: error })
  }
  return error
}
