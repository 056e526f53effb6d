import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What was found whole is looked at again after so long, in milliseconds: disks forget, too. */
const REMEMBERED_MS = 7 * 24 * 60 * 60 * 1000

/** What tells a file from every other one, and from itself as it was before anybody wrote to it. */
type Mark = string

interface Found {
  readonly mark: Mark
  /** When it was looked at, in milliseconds since 1970. */
  readonly at: number
}

/**
 * Which tables were looked at and found whole. LevelDB never writes to a finished table again, so that a start has to
 * read only what is new since the last one: a million tokens are some hundred megabytes. It is a note, and no more: where
 * it is missing or unreadable, everything is looked at.
 */
export class WholeTables {
  readonly #file: string
  readonly #database: string
  readonly #before: ReadonlyMap<string, Found>
  readonly #now = new Map<string, Found>()

  constructor(database: string) {
    this.#database = database
    this.#file = fileBeside(database)
    this.#before = read(this.#file)
  }

  has(name: string): boolean {
    const found = this.#before.get(name)
    const age = Date.now() - (found?.at ?? 0)
    if (found === undefined || age < 0 || age > REMEMBERED_MS || found.mark !== this.#markOf(name))
      return false
    this.#now.set(name, found)
    return true
  }

  add(name: string): void {
    this.#now.set(name, { mark: this.#markOf(name), at: Date.now() })
  }

  /** What is not there any more is forgotten. */
  save(): void {
    const temporary = `${this.#file}.new`
    try {
      writeFileSync(temporary, JSON.stringify([...this.#now]), { mode: 0o600 })
      renameSync(temporary, this.#file)
    } catch {
      rmSync(temporary, { force: true }) // no room: the next start takes longer, and that is all
    }
  }

  /** Whatever is written to a file changes its ctime, which nobody can set. */
  #markOf(name: string): Mark {
    const { dev, ino, size, ctimeNs } = statSync(join(this.#database, name), { bigint: true })
    return [dev, ino, size, ctimeNs].join(' ')
  }
}

/** From now on everything is looked at again. */
export function forgetWholeTables(database: string): void {
  rmSync(fileBeside(database), { force: true })
}

function fileBeside(database: string): string {
  return `${database}.whole-tables`
}

function read(file: string): Map<string, Found> {
  try {
    return new Map(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return new Map()
  }
}
