import type { LiveRecord, UserRecord } from './records.ts'

/** What can stand against a token, each by its name and in words that complete "the token …". */
export const OBSTACLES = {
  unknown: 'is not known',
  deleted: 'was deleted',
  revoked: 'was revoked',
  replaced: 'has another secret now',
  no_secret: 'has no secret yet',
  disabled: 'is disabled',
  expired: 'has expired',
  rotated: 'has another secret since it was rotated, and the grace of the old one is over',
  owner_deleted: 'belongs to a user who was deleted',
  owner_disabled: 'belongs to a user who is disabled',
  clock: 'was made while the clock was far ahead',
  not_before: 'is not valid yet',
  allowed_ips: 'may not be used from this address',
  idle_ttl: 'was not used for too long',
  max_uses: 'was used as often as it may be',
} as const

export type Obstacle = keyof typeof OBSTACLES

/** What was made while the clock was far ahead, and it has been put right since, would last too long by as much. */
const FAR_AHEAD_MS = 24 * 60 * 60 * 1000

/**
 * What stands against a token wherever and however often it is used; undefined: nothing. The one place that decides it,
 * at every use: nothing but the record is kept. `hash`: of the secret that was shown; undefined where none was.
 */
export function obstacle(
  record: LiveRecord,
  hash: string | undefined,
  user: UserRecord | undefined,
  now: number,
): Obstacle | undefined {
  const { status, expires, created, revoked, retiring, hashes } = record
  if (revoked !== null) return 'revoked'
  if (hash !== undefined && !hashes.includes(hash)) return 'replaced'
  if (status !== 'enabled') return 'disabled'
  if (user === undefined) return 'owner_deleted'
  if (user.status !== 'enabled') return 'owner_disabled'
  if (expires !== null && now >= expires) return 'expired'
  if (retiring !== undefined && retiring.hash === hash && now >= retiring.until) return 'rotated'
  return expires !== null && created - now > FAR_AHEAD_MS ? 'clock' : undefined
}

/** Whether a secret has a successor, whatever is left of its grace. */
export function isRetiring({ retiring }: LiveRecord, hash: string): boolean {
  return retiring?.hash === hash
}

/** When a secret is over, by the token's end or by its rotation; null: not by time. Milliseconds since 1970. */
export function endOfSecret({ expires, retiring }: LiveRecord, hash: string): number | null {
  if (retiring?.hash !== hash) return expires
  return Math.min(retiring.until, expires ?? Number.POSITIVE_INFINITY)
}
