import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { Complaint } from '../protocol/complaint.ts'
import { type Entry, orderedNumber } from './store.ts'

/**
 * LevelDB passes over damaged records of its log in silence, and takes a log that was cut off for a whole one: commits
 * would be gone, and nobody would know. So each durable write leaves a marker with its number and that of the write
 * before it, and notes its number in a small file beside the database. A gap between markers is a write that was passed
 * over; a file that is ahead of the last marker tells of writes that were cut off.
 *
 * Only what is still in LevelDB's log can be lost that way, so markers are kept for as many bytes as its logs can hold.
 */
export const MARKERS = 'c/'

/** LevelDB keeps at most two logs of 4 MiB each until their content is in tables; this is twice that. */
const KEPT_BYTES = 16 * 1024 * 1024
/** Old markers that one write takes along. */
const TRIMMED_AT_ONCE = 64
const WIDTH = 20

interface Marker {
  readonly commit: number
  /** What had been written in all by then. */
  readonly bytes: number
}

/** The numbers of durable writes, as they follow each other. */
export class Continuity {
  #fd: number | undefined
  readonly #markers: Marker[]
  #bytes = 0
  #last: number

  private constructor(fd: number, found: readonly number[]) {
    this.#fd = fd
    this.#markers = found.map((commit) => ({ commit, bytes: Number.NEGATIVE_INFINITY }))
    this.#last = found.at(-1) ?? 0
  }

  /** Checks the markers of a database that was just opened against each other and `file`. Throws Complaint. */
  static begin(file: string, markers: readonly Entry[]): Continuity {
    const found = markers.map(({ key, value }) => ({
      commit: Number(key.slice(MARKERS.length)),
      before: Number(value),
    }))
    for (const [at, { before }] of found.entries()) {
      const previous = found[at - 1]?.commit
      if (previous !== undefined && before !== previous) throw lost(previous, before)
    }
    const last = found.at(-1)?.commit ?? 0
    const noted = readNote(file)
    if (noted > last) throw lost(last, noted)
    return new Continuity(
      openSync(file, noted === 0 ? 'w' : 'r+', 0o600),
      found.map(({ commit }) => commit),
    )
  }

  /** What a durable write takes along: its own marker, and deletions of old ones. */
  steps(commit: number): { readonly marker: Entry; readonly trimmed: readonly string[] } {
    const trimmed: string[] = []
    for (const marker of this.#markers) {
      if (trimmed.length === TRIMMED_AT_ONCE || marker.bytes > this.#bytes - KEPT_BYTES) break
      trimmed.push(markerKey(marker.commit))
    }
    return { marker: { key: markerKey(commit), value: String(this.#last), version: commit }, trimmed }
  }

  /** The write, of so many bytes, is on the disk. The note is not synced: it survives a crash of ours, and in a power cut it may be behind. */
  done(commit: number, bytes: number, trimmed: number): void {
    this.#markers.splice(0, trimmed)
    this.#bytes += bytes
    this.#markers.push({ commit, bytes: this.#bytes })
    this.#last = commit
    if (this.#fd !== undefined) writeSync(this.#fd, `${String(commit).padStart(WIDTH)}\n`, 0)
  }

  get last(): number {
    return this.#last
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}

function markerKey(commit: number): string {
  return MARKERS + orderedNumber(commit)
}

function readNote(file: string): number {
  try {
    return Number.parseInt(readFileSync(file, 'latin1'), 10) || 0
  } catch {
    return 0 // a file that is gone proves nothing
  }
}

function lost(from: number, to: number): Complaint {
  return new Complaint(
    `the database is damaged: what was written after commit ${from}, up to ${to}, is missing`,
    'move the state directory away and restore your last backup',
  )
}
