import type { TokenRecord, UserRecord } from './records.ts'

/** What of a signed token says whose it is. */
export interface SignedClaims {
  readonly configuration: string
  readonly username: string
  readonly jti: string | undefined
  /** What of the configuration it was verified with: another one would have to verify it anew. */
  readonly basis: string
}

/** A token that was found, as long as nothing is known to have changed about it. */
export interface Live {
  readonly record: TokenRecord
  /** Of the secret that was shown. */
  readonly hash: string
  /** What was signed, where it is a signed token: its record is made up, and nowhere stored. */
  readonly signed?: SignedClaims
  /** Of the record, as it was read. */
  readonly version: number
  /** Set by a signal or an eviction: whoever still holds this must verify anew. */
  stale: boolean
}

/** A live token and its owner. */
export interface Verified {
  readonly live: Live
  readonly user: UserRecord
}
