import { cpSync, linkSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Scope, temporaryDirectory } from '../support/daemon.ts'

/** LevelDB writes a table once and reads it from then on. */
const NEVER_CHANGED = '.ldb'

/**
 * Another daemon's folder with the same store in it; neither daemon has been started yet. Both read the same tables, so
 * that millions of tokens are written once, and lie in the page cache once.
 */
export function cloned(scope: Scope, directory: string): string {
  const clone = temporaryDirectory(scope)
  const from = join(directory, 'state')
  const to = join(clone, 'state')
  cpSync(from, to, { recursive: true, filter: (file) => !file.endsWith(NEVER_CHANGED) })
  mkdirSync(join(to, 'db'), { recursive: true })
  for (const table of readdirSync(join(from, 'db')).filter((name) => name.endsWith(NEVER_CHANGED)))
    linkSync(join(from, 'db', table), join(to, 'db', table))
  return clone
}
