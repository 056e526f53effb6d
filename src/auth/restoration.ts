import { Complaint } from '../protocol/complaint.ts'
import type { Head } from '../store/batch.ts'
import { APPENDED, type Entry, HEAD } from '../store/store.ts'
import { chainedLine } from './audit-log.ts'
import { KEPT } from './backups.ts'
import { parsePersonal } from './jwt/personal-record.ts'
import { isConfiguration, isPersonal, isToken, isUser } from './record-shape.ts'
import { personalOwnerKey, type TokenRecord, type UserRecord, usernameKey } from './records.ts'
import { derived } from './token-steps.ts'

/** Numbers go on so far ahead of the backup's that what was given out after it is not given out again. */
const AHEAD = 1_000_000
const COUNTERS = ['m/tokenids', 'm/userids']

export interface Restoring {
  /** Tokens keep their state. Otherwise they are disabled: some may have been revoked since. */
  readonly acceptRevived: boolean
  /** The last commit of the backup. */
  readonly commit: number
}

/** The entries of a new store from those that a backup keeps: with everything that is derived, and numbers that skip ahead. */
export async function* restored(
  kept: AsyncIterable<readonly [key: string, value: string]>,
  { acceptRevived, commit }: Restoring,
): AsyncGenerator<Entry> {
  const version = commit + AHEAD
  const entry = (key: string, value: string): Entry => ({ key, value, version })
  const counted = new Map(COUNTERS.map((key) => [key, 0]))
  let head: Head = { commit: version, appended: 0, hash: '' }
  for await (const [key, value] of kept) {
    if (!isKept(key, value))
      throw new Complaint('the backup is damaged or not whole', 'take another one; nothing was changed')
    if (key.startsWith('t/')) {
      const record = acceptRevived
        ? (JSON.parse(value) as TokenRecord)
        : disabled(JSON.parse(value) as TokenRecord)
      yield entry(key, JSON.stringify(record))
      for (const [index, content] of derived(record)) yield entry(index, content)
    } else if (key.startsWith('U/')) {
      const { id, username } = JSON.parse(value) as UserRecord
      yield entry(key, value)
      yield entry(usernameKey(username), id)
    } else if (key.startsWith(APPENDED)) {
      const { seq, hash } = chainedLine(entry(key, value))
      head = { commit: version, appended: seq, hash }
      yield entry(key, value)
    } else if (key.startsWith('J/')) {
      const record = parsePersonal({ value })
      const revoked_at = acceptRevived ? record.revoked_at : (record.revoked_at ?? record.issued_at)
      yield entry(key, JSON.stringify({ ...record, revoked_at }))
      yield entry(personalOwnerKey(record.user, record.jti), '')
    } else if (key.startsWith('j/') && !acceptRevived) {
      // Whether it was deleted since, because its secret leaked, a backup does not know.
      yield entry(key, JSON.stringify({ ...JSON.parse(value), enable: '0' }))
    } else if (counted.has(key)) {
      counted.set(key, Number(value))
    } else if (key !== HEAD) {
      yield entry(key, value)
    }
  }
  for (const [key, value] of counted) yield entry(key, String(value + AHEAD))
  yield entry(HEAD, JSON.stringify(head))
}

/** Nothing of a file is believed to make sense. */
function isKept(key: string, value: unknown): value is string {
  if (typeof value !== 'string' || !KEPT.some((prefix) => key.startsWith(prefix))) return false
  if (key.startsWith('t/')) return isToken(value)
  if (key.startsWith('U/')) return isUser(value)
  if (key.startsWith('j/')) return isConfiguration(key, value)
  if (key.startsWith('J/')) return isPersonal(key, value)
  return !COUNTERS.includes(key) || /^\d{1,15}$/.test(value)
}

function disabled(record: TokenRecord): TokenRecord {
  return record.revoked === null ? { ...record, status: 'disabled' } : record
}
