import type { Maybe } from '../protocol/maybe.ts'

/**
 * The store: an ordered key-value store with guarded commits and a feed of signals. Every backend keeps the promises below;
 * the suite in test/store/contract.ts states them as tests.
 *
 * Keys and values are text; keys are ordered by the bytes of their UTF-8 form. (Text, because what is stored is JSON:
 * LevelDB hands over a string in half the time of a buffer, and the database stays readable to an operator.)
 */

export interface Entry {
  readonly key: string
  readonly value: string
  /** Never used again for a key, not even after the key was deleted. Above zero. */
  readonly version: number
}

/** One key's condition and its write together. */
export interface Step {
  readonly key: string
  /** None: no condition. 0: the key must not exist. n: its version is n. */
  readonly expect?: number
  /** None: only the condition. Null: delete. */
  readonly write?: string | null
}

export interface Commit {
  /** One per key, at most MAX_STEPS. */
  readonly steps: readonly Step[]
  /** Audit lines; the writer numbers them while it forms the batch. A refused or failed commit takes no number. */
  readonly append?: readonly string[]
  /** Reach every feed if and only if the commit succeeds, and are applied before commit() resolves. */
  readonly signals?: readonly string[]
  /** May be lost in a power cut: for last access and the clock's mark only. */
  readonly lossy?: boolean
}

export interface Range {
  readonly gte: string
  readonly lt: string
  readonly limit: number
  readonly reverse?: boolean
}

export interface Feed {
  /** A commit's signal, at least once; get() already shows its effect. */
  signal(payload: string): void
  /** A gap is possible: drop everything derived. */
  reset(): void
  /** Lines were appended. */
  appended?(): void
}

export interface Reader {
  /** LevelDB answers at once; a distributed backend with a promise. */
  get(key: string): Maybe<Entry | undefined>
  /** Entries with gte ≤ key < lt, in order, at most `limit`. */
  scan(range: Range): Promise<Entry[]>
}

/** What a look at everything finds under a key: its entry, or one that is not what was written there. */
export type Found = { readonly entry: Entry } | { readonly damaged: string }

/** get and scan of one moment. Close it: it keeps old data on the disk. */
export interface Snapshot extends Reader {
  /** Everything below a prefix, in order, damaged or not. */
  inspect(prefix: string): AsyncIterable<Found>
  close(): Promise<void>
}

export interface Store extends Reader {
  /** True: durable and visible. False: a condition failed and nothing was written. Throws OutcomeUnknown, Unavailable. */
  commit(commit: Commit): Promise<boolean>
  subscribe(feed: Feed): () => void
  /**
   * Applies all signals of what was acknowledged anywhere before this was called, at once. Whoever decides by what they keep
   * in memory calls it first. Where each commit's signals have been applied when it is acknowledged, there is nothing to do.
   */
  refresh(): void
  snapshot(): Snapshot
  /** Whether commits are still accepted; false after a failed write and after close(). */
  readonly writable: boolean
  /** Commits that wait to be written. */
  readonly queued: number
  close(): Promise<void>
}

export const MAX_STEPS = 10_000

/** Where appended lines go: `e/<number>`, numbered from 1 without gaps. */
export const APPENDED = 'e/'
/** The writer's own record: the number of the last commit and of the last appended line. */
export const HEAD = 'm/head'

/** The write may have happened: read before deciding. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown'
}

/** The write has certainly not happened. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/** A number as a key of fixed width, so that the order of keys is the order of numbers. */
export function orderedNumber(value: number | string): string {
  return String(value).padStart(19, '0')
}

/** The range of all keys that begin with `prefix`. */
export function prefixed(prefix: string): { gte: string; lt: string } {
  const last = prefix.charCodeAt(prefix.length - 1)
  return { gte: prefix, lt: prefix.slice(0, -1) + String.fromCharCode(last + 1) }
}
