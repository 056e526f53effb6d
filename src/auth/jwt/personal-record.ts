import type { Entry } from '../../store/store.ts'

/** What is kept of a personal token: never the token. Times are milliseconds since 1970. */
export interface PersonalRecord {
  readonly jti: string
  /** The owner's id. It stays although the user goes: else the token could bring somebody of that name back. */
  readonly user: string
  readonly label: string
  readonly config: string
  readonly issued_at: number
  readonly expires_at: number
  readonly revoked_at: number | null
  readonly last_used_at: number | null
}

export interface PersonalRequest {
  /** The configuration; the only one there is where left out. */
  readonly name?: string | undefined
  readonly label?: string | undefined
  /** Seconds; the configuration's where left out, and at most. */
  readonly expire?: number | undefined
}

export function parsePersonal({ value }: Pick<Entry, 'value'>): PersonalRecord {
  return JSON.parse(value) as PersonalRecord
}

export function statusOf(
  { revoked_at, expires_at }: Pick<PersonalRecord, 'revoked_at' | 'expires_at'>,
  now: number,
): 'revoked' | 'expired' | 'active' {
  if (revoked_at !== null) return 'revoked'
  return now >= expires_at ? 'expired' : 'active'
}
