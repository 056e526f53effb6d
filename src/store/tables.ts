import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Complaint } from '../protocol/complaint.ts'

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
