import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../store/clock.ts'
import { APPENDED, orderedNumber, type Step } from '../store/store.ts'
import { type AuditKey, CHECKPOINT, type Checkpoint, type Cut } from './audit-chain.ts'
import type { AuditLog } from './audit-log.ts'
import type { Ledger } from './ledger.ts'
import { DAEMON } from './records.ts'

/** A checkpoint is signed after so many lines, or so many milliseconds in which there was one. */
const LINES = 1_000
const INTERVAL_MS = 60 * 60 * 1000
const CHUNK = 500
/** What the key is made from the pepper for. */
export const AUDIT_KEY_PURPOSE = 'audit checkpoints'

interface Parts {
  readonly ledger: Ledger
  readonly log: AuditLog
  readonly clock: Clock
  readonly key: AuditKey
}

/** Keeps the audit log: signs checkpoints, and cuts off what has grown too old, at a checkpoint and in words of its own. */
export class Auditor {
  readonly #parts: Parts
  /** Up to where the log is signed, the checkpoint's own line included, and since when. */
  #signed: { readonly seq: number; readonly at: number } | undefined

  /** The last one in the log, which is long to go through; undefined: it is not known. */
  #newest: Checkpoint | undefined

  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get publicKey(): string {
    return this.#parts.key.publicKey
  }

  /** One after the other: a checkpoint tells of the last cut, which must not be made meanwhile. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }

  /** Signs one when it is due; with `now`, whenever there are lines that none covers. */
  sign(when: { now?: boolean } = {}): Promise<void> {
    return this.#inTurn(() => this.#signIfDue(when))
  }

  async #signIfDue({ now = false }: { now?: boolean }): Promise<void> {
    const { log, clock } = this.#parts
    const { appended } = await log.head()
    this.#signed ??= { seq: ((await this.#lastCheckpoint())?.seq ?? -1) + 1, at: clock.now() }
    const lines = appended - this.#signed.seq
    const age = clock.now() - this.#signed.at
    // An age below zero: the last one was signed while the clock was ahead.
    const due = now || lines >= LINES || age >= INTERVAL_MS || age < 0
    if (lines > 0 && due) await this.#checkpoint(await this.#lastCut())
  }

  /** A signed checkpoint of this moment, to be kept elsewhere. */
  checkpoint(): Promise<Checkpoint> {
    return this.#inTurn(async () => this.#checkpoint(await this.#lastCut()))
  }

  /** The head is read before it is signed: what is appended meanwhile is behind it, and takes nothing away from its truth. */
  async #checkpoint(cut: Cut | null): Promise<Checkpoint> {
    const { log, ledger, key, clock } = this.#parts
    const { appended, hash } = await log.head()
    const checkpoint = key.sign(appended, hash, cut)
    const event = { event: CHECKPOINT, by: DAEMON, checkpoint } as const
    this.#newest = undefined // until it is known to be there
    await ledger.commit({ steps: [], audit: [event] })
    this.#newest = checkpoint
    // Its own line is nothing that would need another one.
    this.#signed = { seq: appended + 1, at: clock.now() }
    return checkpoint
  }

  async #lastCut(): Promise<Cut | null> {
    return (await this.#lastCheckpoint())?.cut ?? null
  }

  async #lastCheckpoint(): Promise<Checkpoint | undefined> {
    this.#newest ??= await this.#parts.log.newestCheckpoint()
    return this.#newest
  }

  /** Removes lines older than `retainMs`, up to the last checkpoint among them. First it is said, then it is done. */
  cut(retainMs: number, stop: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#cut(retainMs, stop))
  }

  async #cut(retainMs: number, stop: AbortSignal): Promise<void> {
    const { log, clock, ledger } = this.#parts
    const due = await log.oldCheckpoint(clock.believed() - retainMs)
    const [oldest] = await log.chain(0, 1)
    if (due === undefined || oldest === undefined || oldest.seq > due.seq) return
    await this.#checkpoint({ through: due.seq, hash: due.hash })
    while (!stop.aborted) {
      const gone = (await log.chain(0, CHUNK)).filter(({ seq }) => seq <= due.seq)
      if (gone.length === 0) return
      const steps = gone.map(({ seq }): Step => ({ key: APPENDED + orderedNumber(seq), write: null }))
      await ledger.commit({ steps, audit: [] })
      await nextTurn()
    }
  }
}
