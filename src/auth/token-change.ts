import { Failure } from '../protocol/failures.ts'
import type { TokenCaller } from './caller.ts'
import type { TokenRecord } from './records.ts'
import { contains } from './scopes.ts'
import { refusedObject } from './tokens.ts'

/** Members of token.create. `expires_at`: Unix seconds, 0 for never; `status`: 0 enabled, 1 disabled. */
export interface TokenDraft {
  name: string
  description?: string
  userid?: string
  status?: number
  expires_at?: number
}

/** Members of token.update. */
export interface TokenChange {
  tokenid: string
  name?: string
  description?: string
  status?: number
  expires_at?: number
}

/** Whoever could make a secret for a token that may do more than theirs, or keep it alive, would have its rights (pitfall 24). */
export function refuseWider(records: readonly TokenRecord[], { token }: TokenCaller): void {
  for (const { scopes, expires } of records) {
    if (!contains(token.scopes, scopes)) throw refusedObject()
    if (token.bounded && token.expires !== null && (expires === null || expires > token.expires))
      throw tooLong(token)
  }
}

function tooLong({ expiresAt }: TokenRecord): Failure {
  return new Failure(
    'forbidden',
    `Nothing that this token makes may last longer than itself: expires_at ${expiresAt} at most.`,
  )
}

export function endOf({ expires, expiresAt }: TokenRecord): Pick<TokenRecord, 'expires' | 'expiresAt'> {
  return { expires, expiresAt }
}

export function apply(
  record: TokenRecord,
  { name, description, status, expires_at }: TokenChange,
): TokenRecord {
  return {
    ...record,
    name: name ?? record.name,
    description: description ?? record.description,
    status: status === undefined ? record.status : statusOf(status),
    ...(expires_at !== undefined && expiryOf(expires_at)),
  }
}

export function statusOf(status: number): TokenRecord['status'] {
  return status === 0 ? 'enabled' : 'disabled'
}

/** A token is accepted until its second of expiry is over; 0 is never. */
export function expiryOf(expiresAt: number): Pick<TokenRecord, 'expires' | 'expiresAt'> {
  return { expiresAt, expires: expiresAt === 0 ? null : (expiresAt + 1) * 1000 }
}
