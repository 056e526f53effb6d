import { Failure } from '../protocol/failures.ts'
import type { TokenCaller } from './caller.ts'
import { excess, type LimitParams, limitsFrom } from './limits.ts'
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

/** A token makes, widens and renews only what its own rights contain (pitfall 24). */
export function refuseExcess(
  record: TokenRecord,
  { token }: TokenCaller,
  remaining: number | undefined,
): void {
  const what = excess(token, remaining, record)
  if (what === undefined) return
  throw new Failure('forbidden', `The ${what} would be more than that of the token that makes this call.`)
}

/** Whether a change gives a token anything that it did not have. */
export function widens(before: TokenRecord, after: TokenRecord): boolean {
  const enables = before.status === 'disabled' && after.status === 'enabled'
  return enables || excess(before, before.limits?.maxUses, after) !== undefined
}

export function apply(record: TokenRecord, change: TokenChange): TokenRecord {
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
    ...(expires_at !== undefined && expiryOf(expires_at)),
    ...(limits !== undefined && { limits }),
    ...(kept && { metadata: kept }),
  }
}

/** The end of the token that makes another. */
export function endOf({ expires, expiresAt }: TokenRecord): Pick<TokenRecord, 'expires' | 'expiresAt'> {
  return { expires, expiresAt }
}

export function statusOf(status: number): TokenRecord['status'] {
  return status === 0 ? 'enabled' : 'disabled'
}

/** A token is accepted until its second of expiry is over; 0 is never. */
export function expiryOf(expiresAt: number): Pick<TokenRecord, 'expires' | 'expiresAt'> {
  return { expiresAt, expires: expiresAt === 0 ? null : (expiresAt + 1) * 1000 }
}
