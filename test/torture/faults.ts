import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Daemon, type Scope, until } from '../support/daemon.ts'

/** Until it is taken away a database is not opened anew either, which a daemon tries a second after a failed write. */
export const NOT_ANEW = 'openat:error=EIO'

/** Makes system calls of a running daemon fail, on these files alone where any are named. */
export async function inject(
  t: Scope,
  daemon: Daemon,
  faults: string | readonly string[],
  paths: readonly string[] = [],
): Promise<{ seen(): string; stop(): Promise<void> }> {
  const which = [faults].flat()
  const seen = join(daemon.directory, 'strace')
  const names = which.map((fault) => fault.split(':')[0]).join()
  const args = ['-f', '-p', String(daemon.pid), '-o', seen, '-e', `trace=${names}`]
  for (const fault of which) args.push('-e', `inject=${fault}`)
  for (const path of paths) args.push('-P', path)
  const tracer = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  t.after(() => tracer.kill('SIGKILL'))
  let said = ''
  tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await until(`strace has attached: ${said}`, () => said.includes(' attached'))
  return {
    seen: () => readFileSync(seen, 'latin1'),
    async stop() {
      const ended = new Promise((resolve) => tracer.once('close', resolve))
      tracer.kill()
      await ended
    },
  }
}

/** The files of its database with that ending. */
export function filesOf(stateDir: string, ending: string): string[] {
  const db = join(stateDir, 'db')
  return readdirSync(db)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(db, name))
}
