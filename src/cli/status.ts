import { Command } from 'commander'
import type { SystemInfo } from '../methods/system.ts'
import { Client, withToken } from './client.ts'
import {
  type SocketOption,
  socketOf,
  type TokenOption,
  tokenOf,
  withSocket,
  withTokenFile,
} from './options.ts'
import { printJson, printTable, wantsJson } from './terminal.ts'
import { span } from './times.ts'

export function statusCommand(): Command {
  return withTokenFile(withSocket(new Command('status')))
    .description('Show whether the daemon runs and how it is.')
    .option('--json', 'print JSON, as in a pipe')
    .action(status)
}

async function status(options: SocketOption & TokenOption & { json?: boolean }): Promise<void> {
  const socket = socketOf(options)
  const client = new Client(socket)
  const info = await withToken(client, tokenOf(options), 'postern status', (token) =>
    client.call('system.info', undefined, token),
  )
  const { version, uptime, store, counts } = info as SystemInfo
  if (wantsJson(options)) {
    printJson({ socket, ...(info as SystemInfo) })
    return
  }
  printTable(
    ['postern', version],
    [
      ['socket', socket],
      ['up for', span(uptime)],
      ['store', `${store.backend}, ${store.writable ? 'writable' : 'refusing writes: see the log'}`],
      ['tokens', `${counts.tokens_complete ? '' : 'more than '}${counts.tokens}`],
      ['users', String(counts.users)],
      ['connections', String(counts.connections)],
    ],
  )
}
