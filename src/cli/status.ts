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
      ['up for', inWords(uptime)],
      ['store', `${store.backend}, ${store.writable ? 'writable' : 'refusing writes: see the log'}`],
      ['tokens', `${counts.tokens_complete ? '' : 'more than '}${counts.tokens}`],
      ['users', String(counts.users)],
      ['connections', String(counts.connections)],
    ],
  )
}

function inWords(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} hours` : `${Math.floor(seconds / 86_400)} days`
}
