import { createHmac } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Complaint } from '../protocol/complaint.ts'
import { writeDurably } from './files.ts'

/** The newest layout of the database that this program understands. */
export const FORMAT = 2

/** What format.json says: the layout, the pepper's fingerprint, and whether there has ever been a database. */
export interface Format {
  readonly format: number
  readonly pepper: string
  readonly database: 'to be made' | 'made'
}

export function placesIn(directory: string): { formatFile: string; ownPepper: string; db: string } {
  return {
    formatFile: join(directory, 'format.json'),
    ownPepper: join(directory, 'pepper'),
    db: join(directory, 'db'),
  }
}

export function writeFormat(file: string, pepper: Buffer, database: Format['database']): void {
  const content: Format = { format: FORMAT, pepper: fingerprint(pepper), database }
  writeDurably(file, `${JSON.stringify(content)}\n`)
}

export function readPepper(file: string, own: boolean): Buffer {
  const hex = readFileSync(file, 'latin1').trim()
  if (!/^[0-9a-f]{64}$/.test(hex)) {
    throw new Complaint(
      `the pepper ${file} is damaged: it should be 64 hexadecimal digits`,
      'restore it from your backup',
    )
  }
  if (own && (statSync(file).mode & 0o077) !== 0) {
    throw new Complaint(`the pepper ${file} can be read by others`, `chmod 600 ${file}`)
  }
  return Buffer.from(hex, 'hex')
}

export function readFormat(file: string): Format {
  const parsed = parseFormat(readFileSync(file, 'utf8'))
  if (parsed === undefined) throw new Complaint(`${file} is damaged`, 'restore it from your backup')
  if (parsed.format > FORMAT) {
    throw new Complaint(
      `the database has format ${parsed.format}; this version of postern knows formats up to ${FORMAT}`,
      'install the newer version again; nothing was touched',
    )
  }
  if (parsed.format < FORMAT) {
    throw new Complaint(
      `the database has format ${parsed.format}, of a version from before the first release`,
      'move the state directory away and mint anew; nothing was touched',
    )
  }
  return parsed
}

function parseFormat(text: string): Format | undefined {
  try {
    const { format, pepper, database } = JSON.parse(text) as Partial<Format>
    if (typeof format !== 'number' || typeof pepper !== 'string') return undefined
    return { format, pepper, database: database === 'to be made' ? database : 'made' }
  } catch {
    return undefined
  }
}

/** Tells peppers apart without giving any away. */
export function fingerprint(pepper: Buffer): string {
  return createHmac('sha256', pepper).update('postern pepper fingerprint').digest('hex').slice(0, 16)
}

export function holdsDatabase(db: string): boolean {
  return existsSync(db) && readdirSync(db).length > 0
}
