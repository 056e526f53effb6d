import { Command } from 'commander'
import { actorInWords } from '../announcement.ts'
import type { AuditLine } from '../auth/audit-log.ts'
import { Complaint } from '../protocol/complaint.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { printJson, printTable, wantsJson } from './terminal.ts'

type AuditOptions = SessionOptions & { limit: string }

export function auditCommand(): Command {
  return withSession(new Command('audit'))
    .description('List the audit log, the newest lines last.')
    .option('--limit <number>', 'how many lines, 1 to 1000', '50')
    .action(audit)
}

async function audit(options: AuditOptions): Promise<void> {
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new Complaint(`--limit ${options.limit}: not a number from 1 to 1000`, undefined, { exitCode: 2 })
  }
  const newest = await session(options, 'postern audit', (call) => call('audit.get', { limit }))
  const lines = (newest as AuditLine[]).toReversed()
  if (wantsJson(options)) for (const line of lines) printJson(line)
  else printTable(['no.', 'time', 'event', 'by', 'what'], lines.map(cells))
}

function cells({ seq, at, event, by, ...details }: AuditLine): string[] {
  const what = Object.entries(details).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return [String(seq), new Date(at).toISOString(), event, actorInWords(by), what.join(' ')]
}
