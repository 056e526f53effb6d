import { Command } from 'commander'
import type { AuditLine } from '../auth/audit-log.ts'
import type { Actor } from '../auth/records.ts'
import { Complaint } from '../protocol/complaint.ts'
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

type AuditOptions = SocketOption & TokenOption & { json?: boolean; limit: string }

export function auditCommand(): Command {
  return withTokenFile(withSocket(new Command('audit')))
    .description('List the audit log, the newest lines last.')
    .option('--limit <number>', 'how many lines, 1 to 1000', '50')
    .option('--json', 'print one JSON object a line, as in a pipe')
    .action(audit)
}

async function audit(options: AuditOptions): Promise<void> {
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new Complaint(`--limit ${options.limit}: not a number from 1 to 1000`, undefined, { exitCode: 2 })
  }
  const client = new Client(socketOf(options))
  const newest = await withToken(client, tokenOf(options), 'postern audit', (token) =>
    client.call('audit.get', { limit }, token),
  )
  const lines = (newest as AuditLine[]).toReversed()
  if (wantsJson(options)) for (const line of lines) printJson(line)
  else printTable(['no.', 'time', 'event', 'by', 'what'], lines.map(cells))
}

function cells({ seq, at, event, by, ...details }: AuditLine): string[] {
  const what = Object.entries(details).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return [String(seq), new Date(at).toISOString(), event, inWords(by), what.join(' ')]
}

function inWords(by: Actor): string {
  switch (by.kind) {
    case 'local':
      return `uid ${by.uid ?? 'unknown'} on ${by.door}`
    case 'token':
      return `token ${by.token}`
    case 'daemon':
      return 'postern'
  }
}
