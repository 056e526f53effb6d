import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { tryLock } from '../linux/lock.ts'
import { Complaint, codeOf, inWords } from '../protocol/complaint.ts'
import { syncDirectory, writeDurably } from './files.ts'
import { fingerprint, holdsDatabase, placesIn, readFormat, readPepper, writeFormat } from './format.ts'
import { openLevel } from './level.ts'
import { LevelDatabase } from './level-database.ts'
import { levelPlaces } from './level-opening.ts'
import type { StoreSharing } from './sharing.ts'
import type { Store } from './store.ts'
import { refuseDamagedTables, refuseUnreadable } from './tables.ts'

/** What a state directory gives: the store, and the key (32 bytes) that tokens are hashed under. Close it to let the next daemon in. */
export interface StateDirectory {
  readonly store: Store
  readonly pepper: Buffer
  close(): Promise<void>
}

/**
 * Opens a state directory (`db/`, `pepper`, `format.json`, `lock`), or makes one. The order is the point: the lock before
 * anything is read, the pepper and the format file (with the pepper's fingerprint), both synced, before the database
 * first exists, and both checked before LevelDB opens, because opening rewrites files. Throws Complaint.
 *
 * `credentials`: systemd's credentials directory, whose `pepper` is preferred. `sharing`: with other threads of this process.
 */
export async function openStateDirectory(
  directory: string,
  credentials?: string,
  sharing?: StoreSharing,
): Promise<StateDirectory> {
  try {
    makeDirectory(directory)
    const unlock = lock(join(directory, 'lock'))
    try {
      const pepper = settlePepper(directory, credentials)
      const store = await openDatabase(directory, pepper, sharing)
      sharing?.serve(store)
      const close = async () => {
        await store.close()
        unlock()
      }
      return { store, pepper, close }
    } catch (error) {
      unlock()
      throw error
    }
  } catch (error) {
    if (error instanceof Complaint) throw error
    const hint =
      codeOf(error) === 'ENOSPC'
        ? 'free some space, or choose another disk'
        : 'choose a directory you may write to'
    throw new Complaint(
      `cannot open the state directory ${directory}: ${inWords(error)}`,
      `${hint} with --state-dir`,
      {
        cause: error,
      },
    )
  }
}

export function makeDirectory(directory: string): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (first !== undefined) syncDirectory(dirname(first))
}

/** One daemon to a directory. The file holds the owner's pid, for the message only; the lock is the kernel's. */
export function lock(path: string): () => void {
  const fd = openSync(path, 'a+', 0o600)
  if (!tryLock(fd)) {
    const pid = readFileSync(path, 'utf8').trim()
    closeSync(fd)
    throw new Complaint(
      `already running (pid ${pid || 'unknown'}) on ${dirname(path)}`,
      'stop that daemon first, or give this one another --state-dir, --socket and --port',
    )
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  return () => closeSync(fd)
}

function settlePepper(directory: string, credentials: string | undefined): Buffer {
  const { formatFile, ownPepper, db } = placesIn(directory)
  const given = credentials === undefined ? undefined : join(credentials, 'pepper')
  const file = given !== undefined && existsSync(given) ? given : ownPepper
  const format = existsSync(formatFile) ? readFormat(formatFile) : undefined
  if (format === undefined && holdsDatabase(db)) {
    throw new Complaint(`${formatFile} is missing beside an existing database`, 'restore it from your backup')
  }
  if (!existsSync(file)) {
    if (format !== undefined) {
      throw new Complaint(
        `the pepper ${file} is missing, and without it no stored token can be verified`,
        'restore the file from your backup; only if it is lost for good, move the state directory away and start anew',
      )
    }
    writeDurably(file, `${randomBytes(32).toString('hex')}\n`)
  }
  const pepper = readPepper(file, file === ownPepper)
  if (format === undefined) writeFormat(formatFile, pepper, 'to be made')
  else if (format.pepper !== fingerprint(pepper)) {
    throw new Complaint(
      `the pepper ${file} is not the one that this database was made with`,
      'put the right file back; nothing was touched',
    )
  }
  return pepper
}

/** A new database is made beside its place and moved there when it is whole: one without CURRENT is damaged, never half-made. */
async function openDatabase(
  directory: string,
  pepper: Buffer,
  sharing: StoreSharing | undefined,
): Promise<Store> {
  const { formatFile, db } = placesIn(directory)
  const begun = `${db}.new`
  try {
    if (!holdsDatabase(db)) {
      if (readFormat(formatFile).database === 'made') {
        throw new Complaint(`the database ${db} is gone`, 'restore it from your backup')
      }
      rmSync(begun, { recursive: true, force: true })
      rmSync(levelPlaces(directory).note, { force: true })
      await (await LevelDatabase.open(begun)).close()
      renameSync(begun, db)
      syncDirectory(directory)
      writeFormat(formatFile, pepper, 'made')
    }
    // LevelDB would take a folder without CURRENT for a new database and begin an empty one over the remains.
    if (!existsSync(join(db, 'CURRENT'))) {
      throw new Complaint(
        `the database ${db} is damaged: its file CURRENT is missing`,
        'restore it from your backup',
      )
    }
    refuseDamagedTables(db)
    refuseUnreadable(db)
    return await openLevel(levelPlaces(directory), sharing)
  } catch (error) {
    rmSync(begun, { recursive: true, force: true })
    if (error instanceof Complaint) throw error
    throw databaseComplaint(db, (error as Error).cause ?? error)
  }
}

function databaseComplaint(db: string, error: unknown): Complaint {
  const message = (error as Error).message
  if (codeOf(error) === 'LEVEL_LOCKED') {
    return new Complaint(`already running: another process has ${db} open`, 'stop it first', { cause: error })
  }
  if (message.includes('No space left')) {
    return new Complaint(`cannot open the database ${db}: no space left on the disk`, 'free some space', {
      cause: error,
    })
  }
  return new Complaint(`cannot open the database ${db}: ${message}`, 'restore it from your backup', {
    cause: error,
  })
}
