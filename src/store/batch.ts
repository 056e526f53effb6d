import { hash } from 'node:crypto'
import { APPENDED, type Commit, type Entry, HEAD, orderedNumber } from './store.ts'

/** The last numbers given out, to a commit and to an appended line, and that line's hash. */
export interface Head {
  readonly commit: number
  readonly appended: number
  readonly hash: string
}

/** Where the chain of appended lines begins. */
export const CHAIN_START = ''

/** Whether a commit's conditions hold, and if not, whether that rests on a write of this same batch. */
export type Admission = 'admitted' | 'refused' | 'refused by a queued write'

/**
 * Several commits on their way to one durable write. Each is checked against what is stored and what the batch already
 * holds, so that the order of arrival is the order of effect. Nothing here touches the disk.
 */
export class Batch {
  readonly #read: (key: string) => Entry | undefined
  /** What the batch will have written; null is a deletion. */
  readonly #pending = new Map<string, Entry | null>()
  /** What was found stored: commits of one user all rest on that user's record. */
  readonly #stored = new Map<string, number>()
  #head: Head

  constructor(head: Head, read: (key: string) => Entry | undefined) {
    this.#head = head
    this.#read = read
  }

  add(commit: Commit): Admission {
    for (const { key, expect } of commit.steps) {
      if (expect === undefined || this.#versionOf(key) === expect) continue
      return this.#pending.has(key) ? 'refused by a queued write' : 'refused'
    }
    const version = this.#head.commit + 1
    for (const { key, write } of commit.steps) {
      if (write !== undefined) this.#pending.set(key, write === null ? null : { key, value: write, version })
    }
    let { appended, hash } = this.#head
    for (const line of commit.append ?? []) {
      const key = APPENDED + orderedNumber(++appended)
      hash = chained(hash, line)
      this.#pending.set(key, { key, value: `${hash} ${line}`, version })
    }
    this.#head = { commit: version, appended, hash }
    return 'admitted'
  }

  #versionOf(key: string): number {
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending?.version ?? 0
    const known = this.#stored.get(key)
    if (known !== undefined) return known
    const version = this.#read(key)?.version ?? 0
    this.#stored.set(key, version)
    return version
  }

  get head(): Head {
    return this.#head
  }

  /** What to write, the writer's own record included. */
  writes(): Map<string, Entry | null> {
    const head = { key: HEAD, value: JSON.stringify(this.#head), version: this.#head.commit }
    return new Map(this.#pending).set(HEAD, head)
  }
}

/** The hash of a line and, through its predecessor's, of everything before it. Computed here so that writers do not race. */
export function chained(before: string, line: string): string {
  return hash('sha256', `${before}\n${line}`, 'base64url')
}

/** The head as stored, or that of an empty store. */
export function headOf(entry: Entry | undefined): Head {
  return entry === undefined
    ? { commit: 0, appended: 0, hash: CHAIN_START }
    : (JSON.parse(entry.value) as Head)
}
