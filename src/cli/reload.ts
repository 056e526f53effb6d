import { Command } from 'commander'
import type { Reloaded } from '../methods/method.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { print, printJson, wantsJson } from './terminal.ts'

export function reloadCommand(): Command {
  return withSession(new Command('reload'))
    .description('Let the daemon read its configuration and certificates again, and wait until it has.')
    .action(reload)
}

async function reload(options: SessionOptions): Promise<void> {
  const changes = (await session(options, 'postern reload', (call) => call('system.reload', {}))) as Reloaded
  if (wantsJson(options)) {
    printJson(changes)
    return
  }
  const { reloaded, need_restart } = changes
  print(reloaded.length === 0 ? 'Nothing has changed.' : `Changed: ${reloaded.join(', ')}.`)
  if (need_restart.length > 0) print(`Changes with the next start: ${need_restart.join(', ')}.`)
}
