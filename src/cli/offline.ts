import { closeSync, existsSync, lchownSync, openSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../config.ts'
import { tryLock } from '../linux/lock.ts'
import { Complaint, codeOf, inWords } from '../protocol/complaint.ts'
import { openStateDirectory, type StateDirectory } from '../store/directory.ts'
import { placesIn, readPepper } from '../store/format.ts'
import { forgetWholeTables } from '../store/whole-tables.ts'

export interface StateOption {
  stateDir?: string
  config?: string
}

/** Where a service keeps its pepper; a daemon that is started by hand has it in its state directory. */
const SERVICE_CREDENTIALS = '/etc/postern'
const SERVICE_STATE = '/var/lib/postern'

/** Where the state of a stopped daemon is, and its pepper. */
export interface Places {
  readonly stateDir: string
  readonly credentials: string | undefined
}

export function placesOf({ stateDir, config: file }: StateOption): Places {
  const { config } = loadConfig({
    ...(stateDir !== undefined && { stateDir }),
    ...(file !== undefined && { config: file }),
  })
  const isService = config.stateDir === SERVICE_STATE && existsSync(join(SERVICE_CREDENTIALS, 'pepper'))
  return {
    stateDir: config.stateDir,
    credentials: config.credentialsDir ?? (isService ? SERVICE_CREDENTIALS : undefined),
  }
}

/** Whether a daemon holds a state directory. */
export function isRunning(stateDir: string): boolean {
  try {
    const fd = openSync(join(stateDir, 'lock'), 'r')
    const free = tryLock(fd)
    closeSync(fd)
    return !free
  } catch {
    return false // there is none
  }
}

function pepperFile({ stateDir, credentials }: Places): string {
  const given = credentials === undefined ? undefined : join(credentials, 'pepper')
  return given !== undefined && existsSync(given) ? given : placesIn(stateDir).ownPepper
}

export function hasPepper(places: Places): boolean {
  return existsSync(pepperFile(places))
}

/** The pepper, for a backup that holds it; and to say which one it was. Throws Complaint. */
export function readPepperOf(places: Places): Buffer {
  const file = pepperFile(places)
  try {
    return readPepper(file, false)
  } catch (cause) {
    if (cause instanceof Complaint) throw cause
    const hint = codeOf(cause) === 'EACCES' ? 'run this as root' : 'name its directory with --state-dir'
    throw new Complaint(`cannot read the pepper ${file}: ${inWords(cause)}`, hint, { cause })
  }
}

/** Works on the state of a stopped daemon, and leaves its files to whom they belong. `create`: it may be a new one. */
export async function offline<T>(
  places: Places,
  work: (state: StateDirectory) => Promise<T>,
  { create = false } = {},
): Promise<T> {
  if (!create && !existsSync(placesIn(places.stateDir).formatFile)) {
    throw new Complaint(`there is no store in ${places.stateDir}`, 'name its directory with --state-dir')
  }
  forgetWholeTables(placesIn(places.stateDir).db) // who looks after a store wants to know
  const state = await openStateDirectory(places.stateDir, places.credentials)
  try {
    return await work(state)
  } finally {
    await state.close()
    handBack(places.stateDir)
  }
}

/** What root has written in a service's directory, the service could not open. */
export function handBack(directory: string): void {
  if (process.getuid?.() !== 0 || !existsSync(directory)) return
  const { uid, gid } = statSync(directory)
  if (uid === 0) return
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(directory, name), uid, gid)
  }
}
