import { Failure } from '../protocol/failures.ts'
import type { Holder } from './holder.ts'
import { excess, type LimitParams, limitsFrom, type Rights } from './limits.ts'
import type { TokenRecord } from './records.ts'

/** Members of token.create. `expires_at`: Unix seconds, 0 for never; `status`: 0 enabled, 1 disabled. */
export interface TokenDraft extends LimitParams {
  name: string
  description?: string
  userid?: string
  status?: number
  expires_at?: number
}

/** Members of token.update. */
export interface TokenChange extends LimitParams {
  tokenid: string
  name?: string
  description?: string
  status?: number
  expires_at?: number
}

/** A token makes, widens and renews only what its own rights contain (pitfall 24). Throws `forbidden`. */
export function refuseExcess(child: Rights, by: Holder): void {
  const what = excess(by.record, by.remaining, child)
  if (what === undefined) return
  const advice = 'ask for less, or call with a token that may do more'
  throw new Failure(
    'forbidden',
    `Its ${what} would exceed that of the token that makes this call: ${advice}.`,
  )
}

/** What somebody gains who gets hold of a token's secret. */
export function gains(record: TokenRecord, remaining: number | undefined): Rights {
  if (remaining === undefined) return record
  return { ...record, limits: { ...record.limits, maxUses: remaining } }
}

/** Whether a change gives a token anything that it did not have. */
export function widens(before: TokenRecord, after: TokenRecord): boolean {
  const enables = before.status === 'disabled' && after.status === 'enabled'
  const begins = (after.limits?.notBefore ?? 0) < (before.limits?.notBefore ?? 0)
  return enables || begins || excess(before, before.limits?.maxUses, after) !== undefined
}

/** `by`: the token that makes the change. */
export function apply(record: TokenRecord, change: TokenChange, by: End): TokenRecord {
  const { name, description, status, expires_at, scopes, metadata } = change
  const { limits: before, metadata: old, ...rest } = record
  const limits = limitsFrom(change, before)
  const kept = metadata === undefined ? old : metadata
  return {
    ...rest,
    name: name ?? record.name,
    description: description ?? record.description,
    status: status === undefined ? record.status : statusOf(status),
    scopes: scopes ?? record.scopes,
    ...(expires_at !== undefined && endAt(expires_at, record, by)),
    ...(limits !== undefined && { limits }),
    ...(kept && { metadata: kept }),
  }
}

type End = Pick<TokenRecord, 'expires' | 'expiresAt'>

/**
 * The end that a call asks for: a token is accepted until its second of expiry is over; 0 is never. The end of a token
 * with a `ttl` lies within its second: whoever asks for the same second gets the same end, not a later one.
 */
export function endAt(expiresAt: number, ...others: readonly End[]): End {
  if (expiresAt === 0) return { expiresAt, expires: null }
  const same = others.find((other) => other.expiresAt === expiresAt)
  return { expiresAt, expires: same?.expires ?? (expiresAt + 1) * 1000 }
}

/** The end of the token that makes another. */
export function endOf({ expires, expiresAt }: End): End {
  return { expires, expiresAt }
}

export function statusOf(status: number): TokenRecord['status'] {
  return status === 0 ? 'enabled' : 'disabled'
}
