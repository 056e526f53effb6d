import { join } from 'node:path'
import { type Daemon, type Options, type Scope, startDaemon, temporaryDirectory } from '../support/daemon.ts'

/** Its log goes into a file: read by us, it would take processor time from those who are measured. */
const LOG_TO_FILE = ['/bin/sh', '-c', 'exec "$@" 2>"$0"']

export function startMeasuredDaemon(scope: Scope, options: Options = {}): Promise<Daemon> {
  const directory = options.directory ?? temporaryDirectory(scope)
  return startDaemon(scope, { ...options, directory, under: [...LOG_TO_FILE, join(directory, 'log')] })
}
