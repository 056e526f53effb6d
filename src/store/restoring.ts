import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Complaint } from '../protocol/complaint.ts'
import { lock, makeDirectory } from './directory.ts'
import { syncDirectory, writeDurably } from './files.ts'
import { fingerprint, holdsDatabase, placesIn, readFormat, readPepper, writeFormat } from './format.ts'
import { LevelDatabase } from './level-database.ts'
import { levelPlaces } from './level-opening.ts'
import type { Entry } from './store.ts'

/** What a new state directory is filled with. */
export interface Contents {
  /** 64 hexadecimal digits; undefined: the one that is there has to be the right one. */
  readonly pepper: string | undefined
  readonly fingerprint: string
  readonly entries: AsyncIterable<Entry>
}

/**
 * Fills a state directory that holds no database. The database appears in its place when it is whole and synced; before
 * that, a start finds none. `credentials`: where the pepper is kept instead, if there is one. Throws Complaint.
 */
export async function fillStateDirectory(
  directory: string,
  credentials: string | undefined,
  { pepper, fingerprint: wanted, entries }: Contents,
): Promise<void> {
  makeDirectory(directory)
  const unlock = lock(join(directory, 'lock'))
  try {
    const { formatFile, ownPepper, db } = placesIn(directory)
    if (holdsDatabase(db) || (existsSync(formatFile) && readFormat(formatFile).database === 'made')) {
      throw new Complaint(
        `there are tokens in ${directory} already`,
        'restore into an empty --state-dir, or move this one away',
      )
    }
    const given = credentials === undefined ? undefined : join(credentials, 'pepper')
    const file = given !== undefined && existsSync(given) ? given : ownPepper
    const key = settle(file, pepper, wanted)
    writeFormat(formatFile, key, 'to be made')
    await build(levelPlaces(directory), entries)
    syncDirectory(directory)
    writeFormat(formatFile, key, 'made')
  } finally {
    unlock()
  }
}

/**
 * The pepper of the backup, checked before anything is written. One that lies there already stays: it may be the only
 * copy of what another database was made with.
 */
function settle(file: string, pepper: string | undefined, wanted: string): Buffer {
  if (!existsSync(file)) {
    if (pepper === undefined) {
      throw new Complaint(
        `the backup has no pepper in it, and ${file} is not there`,
        'put the pepper there that was kept apart from the backup (mode 0600)',
      )
    }
    if (!/^[0-9a-f]{64}$/.test(pepper) || fingerprint(Buffer.from(pepper, 'hex')) !== wanted)
      throw new Complaint('the pepper in the backup is damaged', 'take another backup; nothing was changed')
    writeDurably(file, `${pepper}\n`)
  }
  const key = readPepper(file, false)
  if (fingerprint(key) === wanted) return key
  throw new Complaint(
    `the pepper ${file} is not the one that the backup was made with`,
    'put the right file there; if nothing needs this one any more, move it away',
  )
}

async function build(
  { db, note }: { db: string; note: string },
  entries: AsyncIterable<Entry>,
): Promise<void> {
  const begun = `${db}.new`
  rmSync(begun, { recursive: true, force: true })
  rmSync(note, { force: true })
  try {
    const database = await LevelDatabase.open(begun)
    try {
      await database.fill(entries)
    } finally {
      await database.close()
    }
    renameSync(begun, db)
  } catch (error) {
    rmSync(begun, { recursive: true, force: true })
    throw error
  }
}
