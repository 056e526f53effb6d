import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Daemon, type Options, type Scope, startDaemon, temporaryDirectory } from '../support/daemon.ts'

/** Its log goes into a file: read by us, it would take processor time from those who are measured. */
const LOG_TO_FILE = ['/bin/sh', '-c', 'exec "$@" 2>"$0"']

export async function startMeasuredDaemon(scope: Scope, options: Options = {}): Promise<Daemon> {
  const directory = options.directory ?? temporaryDirectory(scope)
  const log = join(directory, 'log')
  try {
    return await startDaemon(scope, { ...options, directory, under: [...LOG_TO_FILE, log] })
  } catch (error) {
    throw new Error(readFileSync(log, 'utf8'), { cause: error })
  }
}
