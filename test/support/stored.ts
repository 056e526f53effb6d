import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { openStateDirectory, type StateDirectory } from '../../src/store/directory.ts'
import type { Step } from '../../src/store/store.ts'
import { type Daemon, type Ended, postern } from './daemon.ts'

/** The state directory of a stopped daemon, at work on by hand. */
export async function withState<T>(
  stateDir: string,
  work: (state: StateDirectory) => Promise<T>,
): Promise<T> {
  const state = await openStateDirectory(stateDir)
  try {
    return await work(state)
  } finally {
    await state.close()
  }
}

/** Writes into a stopped store, past everything that keeps its indexes and its audit log. */
export async function tamper(stateDir: string, steps: readonly Step[]): Promise<void> {
  await withState(stateDir, ({ store }) => store.commit({ steps }))
}

/** Keys below a prefix in a stopped store. */
export async function keysIn(stateDir: string, prefix: string): Promise<string[]> {
  return (await rows(stateDir)).map(([key]) => key).filter((key) => key.startsWith(prefix))
}

/** Everything in a stopped database as it lies there: keys, and values with their versions and checksums. */
export function rows(stateDir: string): Promise<[key: string, stored: string][]> {
  return rawly(stateDir, (db) => db.iterator().all())
}

/** Replaces stored text as it lies there, so that its checksum is wrong. Undefined: deletes it, so that nobody wrote that. */
export async function damage(stateDir: string, key: string, stored?: string): Promise<void> {
  await rawly(stateDir, (db) => (stored === undefined ? db.del(key) : db.put(key, stored)))
}

async function rawly<T>(stateDir: string, work: (db: Level<string, string>) => Promise<T>): Promise<T> {
  const db = new Level<string, string>(join(stateDir, 'db'), {
    keyEncoding: 'utf8',
    valueEncoding: 'utf8',
  })
  await db.open()
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}

/** A command about a daemon, running or not: its socket and its state directory. */
export function about(
  { stateDir, socket }: Pick<Daemon, 'stateDir' | 'socket'>,
  ...args: string[]
): Promise<Ended> {
  return postern([...args, '--state-dir', stateDir, '--socket', socket])
}

/** A new place for a state directory, with another one's pepper in it. */
export function withPepperOf(stateDir: string, directory: string): string {
  const place = join(directory, 'state')
  mkdirSync(place, { mode: 0o700 })
  copyFileSync(join(stateDir, 'pepper'), join(place, 'pepper'))
  return place
}

/** A file like those of postern backup and postern export, with a digest that is right, whatever is in it. */
export function craft(file: string, header: unknown, entries: readonly unknown[]): string {
  const text = [header, ...entries].map((line) => `${JSON.stringify(line)}\n`).join('')
  const sha256 = createHash('sha256').update(text).digest('hex')
  writeFileSync(file, `${text}${JSON.stringify({ entries: entries.length, sha256 })}\n`)
  return file
}

/** The lines of a file, parsed: header, entries, footer. */
export function linesOf(file: string): unknown[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}
