import type { Logger } from 'pino'
import type { AuditEvent } from './auth/ledger.ts'
import type { Actor } from './auth/records.ts'

/** An event of the audit log as a sentence: `token.mint: token 7 (backup) of user 1, by root (uid 0) on unix`. */
export function inSentence({ event, by, ...details }: AuditEvent): string {
  const { token, user, name, username, method } = details as Record<string, string | undefined>
  const label = name ?? username ?? method
  const what = [
    ...(token === undefined ? [] : [`token ${token}`]),
    ...(user === undefined ? [] : [token === undefined ? `user ${user}` : `of user ${user}`]),
    ...(label === undefined ? [] : [`(${printable(label)})`]),
  ]
  return `${event}: ${what.join(' ')}, by ${actorInWords(by)}`
}

export function actorInWords(by: Actor): string {
  switch (by.kind) {
    case 'local': {
      const who =
        by.uid === null ? 'somebody' : by.username ? `${by.username} (uid ${by.uid})` : `uid ${by.uid}`
      const program = by.program
        ? `, ${printable(by.program)}[${by.pid}]`
        : by.pid === null
          ? ''
          : `, pid ${by.pid}`
      return `${who} on ${by.door}${program}`
    }
    case 'token':
      return `token ${by.token} from ${by.address}`
    case 'daemon':
      return 'postern'
  }
}

/** What somebody should look into, though nobody has asked for it. */
const WARNINGS: ReadonlySet<AuditEvent['event']> = new Set(['token.ending', 'token.late_use'])

/** What the daemon does by itself is of less interest than what it was asked for. */
export function announce(event: AuditEvent, log: Logger): void {
  if (WARNINGS.has(event.event)) log.warn(event, inSentence(event))
  else if (event.by.kind === 'daemon' || event.event === 'upstream.call') {
    if (log.isLevelEnabled('debug')) log.debug(event, inSentence(event)) // each call that is passed on comes here
  } else log.info(event, inSentence(event))
}

/** Control characters, line ends and those that turn text around, as escapes: a name must not write to a terminal or a log. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => {
    return `\\u{${char.codePointAt(0)?.toString(16)}}`
  })
}
