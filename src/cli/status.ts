import { Command } from 'commander'
import type { SystemInfo } from '../methods/system.ts'
import { socketOf } from './options.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { printJson, printTable, wantsJson } from './terminal.ts'
import { span } from './times.ts'

/** How it is told who is local. */
const UNIX = { kernel: 'whom the kernel names', 'file mode': 'whoever may open it' } as const
const TCP = {
  kernel: 'whom the kernel names',
  nobody: 'nobody, since the kernel cannot be asked',
  closed: 'nobody, since loopback_mint is off',
} as const

export function statusCommand(): Command {
  return withSession(new Command('status'))
    .description('Show whether the daemon runs and how it is.')
    .action(status)
}

async function status(options: SessionOptions): Promise<void> {
  const socket = socketOf(options)
  const info = (await session(options, 'postern status', (call) => call('system.info', {}))) as SystemInfo
  const { version, uptime, workers, store, counts, local } = info
  if (wantsJson(options)) {
    printJson({ socket, ...info })
    return
  }
  printTable(
    ['postern', version],
    [
      ['socket', socket],
      ['up for', span(uptime)],
      ...(workers === undefined ? [] : [['workers', String(workers)]]),
      ['store', `${store.backend}, ${store.writable ? 'writable' : 'refusing writes: see the log'}`],
      ['local', `on the Unix socket ${UNIX[local.unix]}; over TCP ${TCP[local.tcp]}`],
      ['tokens', `${counts.tokens_complete ? '' : 'more than '}${counts.tokens}`],
      ['users', String(counts.users)],
      ['connections', String(counts.connections)],
    ],
  )
}
