import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Complaint, inWords } from '../protocol/complaint.ts'
import { tablesOf } from './manifest.ts'
import { faultOf } from './table-blocks.ts'
import { WholeTables } from './whole-tables.ts'

/**
 * LevelDB verifies no checksum of what it reads: it opens a damaged database in silence, and at some later read answers
 * that a token is unknown, or brings down the process. So each block of each table is looked at before anything is opened
 * (some 1 GB a second), unless it was, and is as it was then. Throws Complaint.
 */
export function refuseDamagedTables(database: string): void {
  const tables = tablesOf(database)
  const whole = new WholeTables(database)
  const damaged: { name: string; fault: string }[] = []
  for (const name of readdirSync(database)) {
    if (!/\.(ldb|sst)$/.test(name) || !tables.has(Number.parseInt(name, 10)) || whole.has(name)) continue
    const fault = faultOf(readTable(join(database, name)))
    if (fault === undefined) whole.add(name)
    else damaged.push({ name, fault })
  }
  whole.save()
  if (damaged.length === 0) return
  throw new Complaint(
    `the database ${database} is damaged: ${damaged.map(({ name, fault }) => `${name} is ${fault}`).join(', ')}`,
    'restore your last backup; nothing was touched',
  )
}

function readTable(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new Complaint(`cannot read ${path}: ${inWords(cause)}`, 'see to the disk; nothing was touched', {
      cause,
    })
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
