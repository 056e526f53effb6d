import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readVarint } from './varint.ts'

/** LevelDB's logs (doc/log_format.md): blocks of 32 KiB; each fragment has a checksum (4 bytes), a length (2) and a kind (1). */
const BLOCK = 32_768
const HEADER = 7
const ENDS = new Set([1, 4]) // FULL, LAST

/** What an edit says (db/version_edit.cc): its tag, and what follows. A text is its length and its bytes. */
const EDITS: Record<number, readonly ('number' | 'text')[]> = {
  1: ['text'], // the comparator
  2: ['number'], // the log
  3: ['number'], // the next file
  4: ['number'], // the last sequence
  5: ['number', 'text'], // where to compact next: level, key
  6: ['number', 'number'], // a table is gone: level, number
  7: ['number', 'number', 'number', 'text', 'text'], // a table is new: level, number, size, first and last key
  9: ['number'], // the log before
}
const GONE = 6
const NEW = 7

/**
 * The numbers of the tables that a database consists of. Any other was being written when the process was killed, or was
 * not deleted yet: LevelDB takes it away. Where the manifest is damaged, those that are known before the damage; LevelDB
 * itself refuses it.
 */
export function tablesOf(database: string): ReadonlySet<number> {
  const tables = new Set<number>()
  const current = readFileSync(join(database, 'CURRENT'), 'latin1').trim()
  if (!readdirSync(database).includes(current)) return tables
  try {
    for (const edit of records(readFileSync(join(database, current)))) apply(edit, tables)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error // Buffer's own for whatever leads outside
  }
  return tables
}

function apply(edit: Buffer, tables: Set<number>): void {
  for (let at = 0; at < edit.length; ) {
    const tag = readVarint(edit, at)
    at = tag.next
    const numbers: number[] = []
    for (const kind of EDITS[tag.value] ?? []) {
      const read = readVarint(edit, at)
      at = kind === 'text' ? read.next + read.value : read.next
      if (kind === 'number') numbers.push(read.value)
    }
    const [, table] = numbers
    if (table === undefined) continue
    if (tag.value === NEW) tables.add(table)
    if (tag.value === GONE) tables.delete(table)
  }
}

function* records(log: Buffer): Generator<Buffer> {
  let fragments: Buffer[] = []
  for (let at = 0; at + HEADER <= log.length; ) {
    const left = BLOCK - (at % BLOCK)
    if (left < HEADER) {
      at += left // padding
      continue
    }
    const start = at + HEADER
    const end = start + log.readUInt16LE(at + 4)
    fragments.push(log.subarray(start, end))
    at = end
    if (!ENDS.has(log.readUInt8(start - 1))) continue
    yield Buffer.concat(fragments)
    fragments = []
  }
}
