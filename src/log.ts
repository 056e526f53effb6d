import { isatty } from 'node:tty'
import pino, { type Logger } from 'pino'
import { printable } from './announcement.ts'
import { type Fields, openJournal } from './linux/journal.ts'

/**
 * Logs go to stderr: readable on a terminal, else JSON, one object a line. Where stderr leads to systemd's journal, each
 * line becomes an entry with fields of its own instead.
 */
export function createLog(): Logger {
  const stderr = pino.destination({ dest: 2, sync: true })
  const onTerminal = isatty(2) // in a thread process.stderr does not know
  const journal = openJournal()
  const write = (line: string) => {
    if (onTerminal) stderr.write(readably(line))
    else if (journal?.(entryOf(line)) !== true) stderr.write(line)
  }
  return pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, level: process.env.LOG_LEVEL ?? 'info' },
    { write },
  )
}

/** Names for people, and syslog's severities (RFC 5424 section 6.2.1) for the journal. */
const LEVELS: Readonly<Record<number, { readonly name: string; readonly priority: string }>> = {
  10: { name: 'trace', priority: '7' },
  20: { name: 'debug', priority: '7' },
  30: { name: 'info', priority: '6' },
  40: { name: 'warn', priority: '4' },
  50: { name: 'error', priority: '3' },
  60: { name: 'fatal', priority: '2' },
}

interface Line {
  readonly level: number
  readonly time: string
  readonly msg: string
  readonly [detail: string]: unknown
}

/** `12:01:02 warn  what happened  key=value`. Values are printed as JSON, which escapes control characters. */
function readably(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as Line
  const details = Object.entries(rest).map(([key, value]) => `  ${key}=${JSON.stringify(value)}`)
  return `${time.slice(11, 19)} ${(LEVELS[level]?.name ?? '').padEnd(5)} ${printable(msg)}${details.join('')}\n`
}

/** `{"event":"token.mint","by":{"uid":0}}` → POSTERN_EVENT=token.mint, POSTERN_BY_UID=0. */
function entryOf(line: string): Fields {
  const { level, time: _, msg, ...rest } = JSON.parse(line) as Line
  const fields: Record<string, string> = {
    MESSAGE: msg,
    PRIORITY: LEVELS[level]?.priority ?? '6',
    SYSLOG_IDENTIFIER: 'postern',
  }
  spread('POSTERN', rest, fields)
  return fields
}

function spread(prefix: string, details: object, into: Record<string, string>): void {
  for (const [key, value] of Object.entries(details)) {
    const name = `${prefix}_${key.replace(/\W/g, '_').toUpperCase()}`
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) spread(name, value, into)
    else if (value !== null && value !== undefined)
      into[name] = Array.isArray(value) ? value.join(' ') : String(value)
  }
}
