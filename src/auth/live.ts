import type { Keepable } from './recent.ts'
import type { LiveRecord, TokenRecord, UserRecord } from './records.ts'
import { ALL_METHODS } from './scopes.ts'

/** What of a signed token says whose it is. */
export interface SignedClaims {
  readonly configuration: string
  readonly username: string
  readonly jti: string | undefined
  /** What of the configuration it was verified with: another one would have to verify it anew. */
  readonly basis: string
}

/** The last access to a token, and the version of its record by which it was accepted. */
export interface Access {
  readonly id: string
  version: number
  /** Milliseconds since 1970. */
  at: number
  /** The number of the write that it waits for. */
  readonly round: number
}

/** A token that was found, as long as nothing is known to have changed about it. */
export interface Live extends Keepable {
  readonly record: LiveRecord
  /** Of the secret that was shown. */
  readonly hash: string
  /** What was signed, where it is a signed token: its record is made up, and nowhere stored. */
  readonly signed?: SignedClaims
  /** Of the record, as it was read. */
  readonly version: number
  /** Set by a signal or an eviction: whoever still holds this must verify anew. */
  stale: boolean
  /** Of the last access by this secret that was noted. */
  access: Access | undefined
}

/** A record that was read under the hash of a secret, to be kept: what is the same text or list as another's is that very one. */
export function liveRecordOf(record: TokenRecord, hash: string): LiveRecord {
  const { id, name, user, status, scopes, created, expires, expiresAt, hashes, revoked } = record
  const { limits, renewed, retiring, pool } = record
  return {
    id,
    name,
    user,
    status,
    scopes: scopes.length === 1 && scopes[0] === '*' ? ALL_METHODS : scopes,
    created,
    expires,
    expiresAt,
    hashes: hashes.length === 1 && hashes[0] === hash ? [hash] : hashes,
    revoked,
    ...(limits && { limits }),
    ...(renewed !== undefined && { renewed }),
    ...(retiring && { retiring }),
    ...(pool !== undefined && { pool }),
  }
}

/** What is known of it still, and that it was asked for: where somebody holds on to it, the cache does not notice. */
export function recalled(live: Live): Live | undefined {
  if (live.stale) return undefined
  live.used = true
  return live
}

/** A live token and its owner. */
export interface Verified {
  readonly live: Live
  readonly user: UserRecord
}
