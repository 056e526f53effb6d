import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Failure, tooMany } from '../protocol/failures.ts'
import { type Head, headOf } from '../store/batch.ts'
import { APPENDED, type Entry, HEAD, orderedNumber, prefixed, type Store } from '../store/store.ts'
import { CHECKPOINT, type ChainedLine, type Checkpoint, checkpointIn } from './audit-chain.ts'
import type { AuditEvent } from './ledger.ts'

/** A line of the audit log as it was committed. `at`: milliseconds since 1970. */
export type AuditLine = AuditEvent & { readonly seq: number; readonly at: number }

/** Which lines are wanted. Times in milliseconds since 1970. */
export interface AuditQuery {
  readonly limit: number
  /** Lower numbers only, the newest first. */
  readonly before?: number | undefined
  /** Higher numbers only, the oldest first. */
  readonly after?: number | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** The id of a user: who did it, or about whom it was. */
  readonly user?: string | undefined
  /** The id of a token, likewise. */
  readonly token?: string | undefined
  readonly event?: string | undefined
}

const PAGE = 500
/** Lines that one question may look at. */
const LOOK_LIMIT = 200_000
/** So many lines in a row that are beyond the time that was asked for, and nothing further on will match. */
const STRAYS = 1_000

/** Reads what decisions have appended. */
export class AuditLog {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Throws `limited` when too many lines would have to be looked at. */
  read(query: AuditQuery): Promise<AuditLine[]> {
    return this.#find(query, LOOK_LIMIT)
  }

  async #find(query: AuditQuery, lookLimit: number): Promise<AuditLine[]> {
    const reverse = query.after === undefined
    const found: AuditLine[] = []
    let looked = 0
    let beyond = 0
    let { gte, lt } = rangeOf(query)
    for (;;) {
      const entries = await this.#store.scan({ gte, lt, limit: PAGE, reverse })
      for (const entry of entries) {
        const line = parseLine(entry)
        beyond = isBeyond(line, query, reverse) ? beyond + 1 : 0
        if (beyond > STRAYS) return found
        if (matches(line, query)) found.push(line)
        if (found.length === query.limit) return found
      }
      const last = entries.at(-1)
      if (last === undefined || entries.length < PAGE) return found
      looked += entries.length
      if (looked >= lookLimit) throw tooManyLines()
      if (reverse) lt = last.key
      else gte = `${last.key}\0`
      await nextTurn()
    }
  }

  /** Lines as they are chained, the oldest first, from the one behind `after`. */
  async chain(after: number, limit: number): Promise<ChainedLine[]> {
    const entries = await this.#store.scan({ ...rangeOf({ after, limit }), limit })
    return entries.map(chainedLine)
  }

  async head(): Promise<Head> {
    return headOf(await this.#store.get(HEAD))
  }

  /** However many lines lie in between: a log that is too long to find it in would never be signed again. */
  #checkpoints(query: AuditQuery): Promise<AuditLine[]> {
    return this.#find({ ...query, event: CHECKPOINT }, Number.POSITIVE_INFINITY)
  }

  /** The newest checkpoint. */
  async newestCheckpoint(): Promise<Checkpoint | undefined> {
    return checkpointOf((await this.#checkpoints({ limit: 1 })).at(0))
  }

  /** The last checkpoint of an age (milliseconds since 1970), or of the first few of that age: the next look finds more. */
  async oldCheckpoint(until: number): Promise<Checkpoint | undefined> {
    return checkpointOf((await this.#checkpoints({ after: 0, until, limit: 50 })).at(-1))
  }
}

function checkpointOf(line: AuditLine | undefined): Checkpoint | undefined {
  return line === undefined ? undefined : checkpointIn(JSON.stringify(line))
}

export function chainedLine({ key, value }: Entry): ChainedLine {
  const space = value.indexOf(' ')
  return {
    seq: Number(key.slice(APPENDED.length)),
    hash: value.slice(0, space),
    line: value.slice(space + 1),
  }
}

function parseLine(entry: Entry): AuditLine {
  const { seq, line } = chainedLine(entry)
  return { seq, ...JSON.parse(line) } as AuditLine
}

function rangeOf({ before, after }: AuditQuery): { gte: string; lt: string } {
  const all = prefixed(APPENDED)
  return {
    gte: after === undefined ? all.gte : `${APPENDED}${orderedNumber(after)}\0`,
    lt: before === undefined ? all.lt : APPENDED + orderedNumber(before),
  }
}

/** Times rise with the numbers, but for some lines that were written while the clock was ahead. */
function isBeyond({ at }: AuditLine, { since, until }: AuditQuery, reverse: boolean): boolean {
  return reverse ? since !== undefined && at < since : until !== undefined && at >= until
}

function matches(line: AuditLine, { since, until, user, token, event }: AuditQuery): boolean {
  const { at, by } = line
  if (since !== undefined && at < since) return false
  if (until !== undefined && at >= until) return false
  if (event !== undefined && line.event !== event) return false
  const actor = by.kind === 'token' ? by : undefined
  if (user !== undefined && line.user !== user && actor?.user !== user) return false
  return token === undefined || line.token === token || actor?.token === token
}

function tooManyLines(): Failure {
  return tooMany(
    `More than ${LOOK_LIMIT} lines would have to be looked at: narrow the time with since, until or before.`,
    1,
  )
}
