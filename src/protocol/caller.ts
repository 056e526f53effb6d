/** The least user type that may call a row; Zabbix numbers them 1, 2, 3. */
export type UserType = 'user' | 'admin' | 'superadmin'

/** How much each type may do; a row's `access` is compared with it. */
export const RANK: Readonly<Record<UserType, number>> = { user: 1, admin: 2, superadmin: 3 }

/** What the kernel said about the other end of a connection. Unknown has no power; pid is for description, never for rights. */
export interface Peer {
  readonly door: 'unix' | 'tcp'
  /** Printable address for logs and audit: `127.0.0.1`, or `unix`. */
  readonly address: string
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly pid: number | undefined
}

/** Somebody on this host, proved by the kernel. */
export interface LocalCaller {
  readonly kind: 'local'
  readonly peer: Peer
}

/** Somebody who showed a live token; the ids are those of its record and its owner. */
export interface TokenCaller {
  readonly kind: 'token'
  readonly peer: Peer
  readonly tokenId: string
  readonly userId: string
  readonly userType: UserType
  readonly scopes: readonly string[]
}

/** Who is asking, settled once at the edge. Whoever is neither of these is refused before a handler runs. */
export type Caller = LocalCaller | TokenCaller
