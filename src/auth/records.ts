import { orderedNumber } from '../store/store.ts'
import type { Configuration } from './jwt/configuration.ts'
import type { TokenLimits } from './limits.ts'

/**
 * What is stored about tokens and users, and under which keys. Times are milliseconds since 1970.
 *
 *   t/<id>            the token's record
 *   h/<hash>          the same record once more, so that a verification is one get
 *   n/<user>/<name>   id: a name is taken
 *   u/<user>/<id>     a user's tokens
 *   v/<expiry>/<id>   tokens by expires_at, those without at the end
 *   x/<end>/<id>      what is swept some time after that end
 *   a/<id>            last access
 *   k/<id>            how often it was used, where that is limited
 *   i/<id>            tokens that die of rest
 *   y/<id>            which of its ends were told
 *   j/<name>          configurations of signed tokens
 *   J/<jti>           personal signed tokens
 *   p/<user>/<jti>    a user's personal signed tokens
 *   U/<id>            users
 *   N/<username>      id: a username is taken
 *   D/<id>            a deleted user whose tokens are being removed
 */
export const tokenKey = (id: string) => `t/${orderedNumber(id)}`
/** The record that an entry of an index is about: its id, in the same width, is the end of the key. */
export const recordKey = (indexKey: string) => `t/${indexKey.slice(indexKey.lastIndexOf('/') + 1)}`
export const secretKey = (hash: string) => `h/${hash}`
export const nameKey = (user: string, name: string) => `n/${user}/${name}`
export const ownerKey = (user: string, id: string) => `u/${user}/${orderedNumber(id)}`
export const endKey = (end: number, id: string) => `x/${orderedNumber(end)}/${orderedNumber(id)}`
export const expiryKey = (expiresAt: number, id: string) => `v/${expiryPlace(expiresAt)}/${orderedNumber(id)}`
export const lastAccessKey = (id: string) => `a/${orderedNumber(id)}`
export const usesKey = (id: string) => `k/${orderedNumber(id)}`
export const idleKey = (id: string) => `i/${orderedNumber(id)}`
export const toldKey = (id: string) => `y/${orderedNumber(id)}`
export const configurationKey = (name: string) => `j/${name}`
export const personalKey = (jti: string) => `J/${jti}`
export const personalOwnerKey = (user: string, jti: string) => `p/${user}/${jti}`
export const userKey = (id: string) => `U/${orderedNumber(id)}`
export const usernameKey = (username: string) => `N/${username}`
export const deletedUserKey = (id: string) => `D/${orderedNumber(id)}`

/** Where an expiry stands in the order of `v/`: 0 (never) behind all others, negative ones together in front. */
export function expiryPlace(expiresAt: number): string {
  return orderedNumber(expiresAt === 0 ? Number.MAX_SAFE_INTEGER : Math.max(0, expiresAt))
}

export interface TokenRecord {
  readonly id: string
  readonly name: string
  readonly description: string
  /** The owner's id. */
  readonly user: string
  /** The id of the user for whom it was created. */
  readonly creator: string
  /** Which call created it: what `mint` (Auth.CreateApiToken) made is swept some time after its end. */
  readonly source: 'mint' | 'create'
  readonly status: 'enabled' | 'disabled'
  readonly scopes: readonly string[]
  readonly created: number
  /** The first instant at which it is refused; null: never. */
  readonly expires: number | null
  /** The same as Zabbix tells it: the last second in which it is accepted; 0: never. */
  readonly expiresAt: number
  /** Who minted it; null for a token of token.create. */
  readonly mintedBy: Actor | null
  /** Of its live secrets; none once it is revoked. */
  readonly hashes: readonly string[]
  readonly revoked: Revocation | null
  /** Bounds beside scopes and expiry; left out where there are none. */
  readonly limits?: TokenLimits
  /** When its present secret was made; left out: when it was created. */
  readonly renewed?: number
  /** The secret before the present one, which is accepted until then; kept after that, so that a late use is noticed. */
  readonly retiring?: { readonly hash: string; readonly until: number }
  /** The id of the token whose bucket of calls it shares: the first of those that made it that has a rate. */
  readonly pool?: string
  /** The operator's own. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** What of a record the uses of its token are decided by: of as many as there is room for, it is kept in memory. */
export type LiveRecord = Omit<TokenRecord, 'description' | 'creator' | 'source' | 'mintedBy' | 'metadata'>

/** Kept with the record after its secret is deleted. */
export interface Revocation {
  readonly at: number
  readonly by: Actor
  readonly why: string
}

/** Who did it, as the audit log has it. */
export type Actor =
  | LocalActor
  | { readonly kind: 'token'; readonly token: string; readonly user: string; readonly address: string }
  | { readonly kind: 'daemon' }

export interface LocalActor {
  readonly kind: 'local'
  readonly door: 'unix' | 'tcp' | 'remote'
  readonly uid: number | null
  /** The name that the uid had at that time. */
  readonly username: string | null
  readonly pid: number | null
  /** What that process ran, where it could be seen: a description, which the process itself can choose. */
  readonly program: string | null
}

/** What is done by nobody's wish. */
export const DAEMON: Actor = { kind: 'daemon' }

/** Zabbix numbers them 1, 2, 3. */
export type UserType = 'user' | 'admin' | 'superadmin'

export interface UserRecord {
  readonly id: string
  readonly username: string
  readonly name: string
  readonly surname: string
  readonly type: UserType
  readonly status: 'enabled' | 'disabled'
}

/** When a record may be swept, or null for never: what was minted some time after its end, what was revoked likewise. */
export function sweptFrom(record: TokenRecord): number | null {
  return record.revoked?.at ?? (record.source === 'mint' ? record.expires : null)
}

/** What a change tells everybody who derived something from what it changed. */
export type Signal =
  | { readonly kind: 'token'; readonly token: string; readonly hashes: readonly string[] }
  | { readonly kind: 'user'; readonly id: string; readonly user: UserRecord | null }
  | ({ readonly kind: 'jwt' } & ConfigurationChange)
  | { readonly kind: 'personal'; readonly jti: string }

/** null: it is deleted. */
export interface ConfigurationChange {
  readonly name: string
  readonly configuration: Configuration | null
}

/** `before`: the record whose secrets are to be looked up anew. */
export function tokenSignal(before: LiveRecord): string {
  return encode({ kind: 'token', token: before.id, hashes: before.hashes })
}

/** `user`: as it is now; null once it is deleted. */
export function userSignal(id: string, user: UserRecord | null): string {
  return encode({ kind: 'user', id, user })
}

export function jwtSignal(change: ConfigurationChange): string {
  return encode({ kind: 'jwt', ...change })
}

/** A personal signed token was revoked. */
export function personalSignal(jti: string): string {
  return encode({ kind: 'personal', jti })
}

function encode(signal: Signal): string {
  return JSON.stringify(signal)
}

export function decodeSignal(payload: string): Signal {
  return JSON.parse(payload) as Signal
}
