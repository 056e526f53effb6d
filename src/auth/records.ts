import { orderedNumber } from '../store/store.ts'

/**
 * What is stored about tokens and users, and under which keys. Times are milliseconds since 1970.
 *
 *   t/<id>            the token's record
 *   h/<hash>          the same record once more, so that a verification is one get
 *   n/<user>/<name>   id: a name is taken
 *   u/<user>/<id>     a user's tokens
 *   x/<end>/<id>      tokens of Auth.CreateApiToken by when they end or ended, for the sweeper
 *   a/<id>            last access
 *   U/<id>            users
 */
export const tokenKey = (id: string) => `t/${orderedNumber(id)}`
export const secretKey = (hash: string) => `h/${hash}`
export const nameKey = (user: string, name: string) => `n/${user}/${name}`
export const ownerKey = (user: string, id: string) => `u/${user}/${orderedNumber(id)}`
export const endKey = (end: number, id: string) => `x/${orderedNumber(end)}/${orderedNumber(id)}`
export const lastAccessKey = (id: string) => `a/${orderedNumber(id)}`
export const userKey = (id: string) => `U/${orderedNumber(id)}`

export interface TokenRecord {
  readonly id: string
  readonly name: string
  readonly description: string
  /** The owner's id. */
  readonly user: string
  /** The id of the user for whom it was created. */
  readonly creator: string
  /** Which call created it: what `mint` (Auth.CreateApiToken) made is swept some time after its end. */
  readonly source: 'mint'
  readonly status: 'enabled' | 'disabled'
  readonly scopes: readonly string[]
  readonly created: number
  /** The first instant at which it is refused; null: never. */
  readonly expires: number | null
  /** Of its live secrets; none once it is revoked. */
  readonly hashes: readonly string[]
  readonly revoked: Revocation | null
}

/** Kept with the record after its secret is deleted. */
export interface Revocation {
  readonly at: number
  readonly by: Actor
  readonly why: string
}

/** Who did it, as the audit log has it. */
export type Actor =
  | {
      readonly kind: 'local'
      readonly door: 'unix' | 'tcp'
      readonly uid: number | null
      readonly pid: number | null
    }
  | { readonly kind: 'token'; readonly token: string; readonly user: string; readonly address: string }
  | { readonly kind: 'daemon' }

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

/** When a token ended or will end; null: it has no end. */
export function endOf(record: TokenRecord): number | null {
  return record.revoked?.at ?? record.expires
}

/** What a change of tokens tells everybody who derived something from them. */
export interface TokenSignal {
  readonly token: string
  readonly hashes: readonly string[]
}

export function encodeSignal(record: TokenRecord): string {
  return JSON.stringify({ token: record.id, hashes: record.hashes } satisfies TokenSignal)
}

export function decodeSignal(payload: string): TokenSignal {
  return JSON.parse(payload) as TokenSignal
}
