import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import { actorInWords } from '../announcement.ts'
import type { AuditLine } from '../auth/audit-log.ts'
import { Complaint } from '../protocol/complaint.ts'
import { checkpointCommand, exportCommand, verifyCommand } from './audit-verify.ts'
import { useridOf } from './lookup.ts'
import { type Call, type SessionOptions, session, withSession } from './session.ts'
import { printJson, printTable, wantsJson } from './terminal.ts'
import { readTime } from './times.ts'

const FOLLOW_EVERY_MS = 1_000
/** How long a token for following lives, in seconds. */
const DAY = 86_400

interface AuditOptions extends SessionOptions {
  limit: string
  since?: string
  until?: string
  user?: string
  token?: string
  method?: string
  follow?: boolean
}

export function auditCommand(): Command {
  return withSession(new Command('audit'))
    .description('List the audit log, the newest lines last.')
    .option('--limit <number>', 'how many lines, 1 to 1000', '50')
    .option('--since <time>', 'not before this: 2h, 7d, or 2026-01-31T12:00:00Z')
    .option('--until <time>', 'before this')
    .option('--user <username>', 'what this user did, or what was done about them')
    .option('--token <id>', 'what was done with this token, or about it')
    .option('--method <name>', 'only this: token.update, Auth.CreateApiToken, token.refuse, refusals, …')
    .option('--follow', 'go on and print what is added')
    .action(audit)
    .addCommand(verifyCommand())
    .addCommand(exportCommand())
    .addCommand(checkpointCommand())
}

async function audit(options: AuditOptions): Promise<void> {
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new Complaint(`--limit ${options.limit}: not a number from 1 to 1000`, undefined, { exitCode: 2 })
  }
  const { follow = false } = options
  await session(
    options,
    'postern audit',
    async (call) => {
      const filter = await filterOf(options, call)
      const newest = (await call('audit.get', { ...filter, limit })) as AuditLine[]
      show(newest.toReversed(), options)
      if (follow) await goOn(call, filter, newest[0]?.seq ?? 0, options)
    },
    { seconds: follow ? DAY : 60 },
  )
}

async function filterOf({ since, until, user, token, method }: AuditOptions, call: Call): Promise<object> {
  return {
    ...(since !== undefined && { since: readTime('--since', since) }),
    ...(until !== undefined && { until: readTime('--until', until) }),
    ...(user !== undefined && { userid: await useridOf(call, user) }),
    ...(token !== undefined && { tokenid: token }),
    ...(method !== undefined && { event: method }),
  }
}

/** Until somebody presses Ctrl-C. */
async function goOn(call: Call, filter: object, from: number, options: AuditOptions): Promise<void> {
  const stopped = new AbortController()
  process.once('SIGINT', () => stopped.abort()).once('SIGTERM', () => stopped.abort())
  let after = from
  while (!stopped.signal.aborted) {
    const lines = (await call('audit.get', { ...filter, after, limit: 1000 })) as AuditLine[]
    if (lines.length > 0) show(lines, options, false)
    after = lines.at(-1)?.seq ?? after
    await pause(FOLLOW_EVERY_MS, undefined, { signal: stopped.signal }).catch(() => {})
  }
}

function show(lines: readonly AuditLine[], options: AuditOptions, withHead = true): void {
  if (wantsJson(options)) for (const line of lines) printJson(line)
  else printTable(withHead ? ['no.', 'time', 'event', 'by', 'what'] : ['', '', '', '', ''], lines.map(cells))
}

function cells({ seq, at, event, by, ...details }: AuditLine): string[] {
  const what = Object.entries(details).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return [String(seq), new Date(at).toISOString(), event, actorInWords(by), what.join(' ')]
}
