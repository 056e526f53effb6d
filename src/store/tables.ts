import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Complaint, inWords } from '../protocol/complaint.ts'

/** The last bytes of every table of LevelDB (doc/table_format.md), little-endian. */
const MAGIC = 0xdb4775248b80fb57n
const FOOTER = 48

/**
 * LevelDB opens a database with a truncated table in silence and fails later, at some read. So each table's end is looked
 * at before anything is opened. Throws Complaint.
 */
export function refuseDamagedTables(database: string): void {
  const damaged = readdirSync(database)
    .filter((name) => /\.(ldb|sst)$/.test(name))
    .filter((name) => !isWhole(join(database, name)))
  if (damaged.length === 0) return
  throw new Complaint(
    `the database ${database} is damaged: ${damaged.join(', ')} ${damaged.length === 1 ? 'is' : 'are'} truncated`,
    'restore your last backup; nothing was touched',
  )
}

function isWhole(table: string): boolean {
  const fd = openSync(table, 'r')
  try {
    const { size } = fstatSync(fd)
    const end = Buffer.alloc(8)
    return size >= FOOTER && readSync(fd, end, 0, 8, size - 8) === 8 && end.readBigUInt64LE(0) === MAGIC
  } finally {
    closeSync(fd)
  }
}

const CHUNK = 1024 * 1024

/**
 * Reads what LevelDB will read when it opens a database: a log that it cannot read it would take for none, and delete.
 * Throws Complaint, and nothing was touched.
 */
export function refuseUnreadable(database: string): void {
  for (const name of readdirSync(database)) {
    if (!/^(CURRENT|MANIFEST-\d+|\d+\.log)$/.test(name)) continue
    const path = join(database, name)
    try {
      readThrough(path)
    } catch (cause) {
      throw new Complaint(`cannot read ${path}: ${inWords(cause)}`, 'see to the disk; nothing was touched', {
        cause,
      })
    }
  }
}

function readThrough(path: string): void {
  const fd = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(CHUNK)
    while (readSync(fd, buffer, 0, CHUNK, null) > 0);
  } finally {
    closeSync(fd)
  }
}
