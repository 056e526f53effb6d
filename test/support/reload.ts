import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Daemon, until } from './daemon.ts'

/** Gives a running daemon a new configuration, and waits until it has taken it over or refused it. */
export async function reload(daemon: Daemon, config?: string): Promise<'taken' | 'refused'> {
  const before = outcomes(daemon).length
  if (config !== undefined) writeFileSync(join(daemon.directory, 'postern.toml'), config)
  process.kill(daemon.pid, 'SIGHUP')
  await until('the reload is logged', () => outcomes(daemon).length > before)
  return outcomes(daemon).at(-1) === 'configuration reloaded' ? 'taken' : 'refused'
}

function outcomes(daemon: Daemon): string[] {
  return daemon.log().match(/configuration reloaded|the old one stays/g) ?? []
}
