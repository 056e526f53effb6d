import pino, { type Logger } from 'pino'

/** Logs go to stderr: JSON, one object a line, for journald and other programs; readable on a terminal. */
export function createLog(): Logger {
  const stderr = pino.destination({ dest: 2, sync: true })
  const readable = process.stderr.isTTY
    ? { write: (line: string) => void stderr.write(readably(line)) }
    : stderr
  return pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, level: process.env.LOG_LEVEL ?? 'info' },
    readable,
  )
}

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** `12:01:02 warn  what happened  key=value`. Values are printed as JSON, which escapes control characters. */
function readably(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as { level: number; time: string; msg: string }
  const details = Object.entries(rest).map(([key, value]) => `  ${key}=${JSON.stringify(value)}`)
  return `${time.slice(11, 19)} ${(LEVELS[level] ?? '').padEnd(5)} ${msg}${details.join('')}\n`
}
