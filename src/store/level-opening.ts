import { join } from 'node:path'
import { Ballast } from './ballast.ts'
import { type Head, headOf } from './batch.ts'
import { Continuity } from './continuity.ts'
import { LevelDatabase } from './level-database.ts'
import { HEAD } from './store.ts'

/** Where a store lives: its database, the note of its last commit, and its ballast. */
export interface LevelPlaces {
  readonly db: string
  readonly note: string
  readonly ballast: Ballast
}

export function levelPlaces(directory: string): LevelPlaces {
  return { db: join(directory, 'db'), note: join(directory, 'last-commit'), ballast: new Ballast(directory) }
}

/** An open database whose commits are known to be complete. */
export interface Opened {
  readonly db: LevelDatabase
  readonly continuity: Continuity
  readonly head: Head
  /** The disk was full, and the ballast had to be given up: there is no room for writes. */
  readonly cramped: boolean
}

/**
 * Opens (or creates) a database, and gives up the ballast for it where the disk is full. Throws LevelDB's own error (see
 * openStateDirectory for what it means), DamagedRecord, or Complaint for commits that are lost. `shared`: with other threads.
 */
export async function openDatabase(places: LevelPlaces, shared = false): Promise<Opened> {
  try {
    return await open(places, shared, false)
  } catch (error) {
    if (!isFull(error) || !places.ballast.release()) throw error
    return await open(places, shared, true)
  }
}

async function open(
  { db: directory, note }: LevelPlaces,
  shared: boolean,
  cramped: boolean,
): Promise<Opened> {
  const db = await LevelDatabase.open(directory, { shared })
  try {
    const continuity = Continuity.begin(note, await db.markers())
    return { db, continuity, head: headOf(db.get(HEAD)), cramped }
  } catch (error) {
    await db.close()
    throw error
  }
}

function isFull(error: unknown): boolean {
  const { message, cause } = error as Error
  return `${message} ${(cause as Error | undefined)?.message}`.includes('No space left')
}
