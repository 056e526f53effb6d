import type { TokenRecord, UserRecord, UserType } from './records.ts'

/** How much each type of user may do; a row's `access` is compared with it. */
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

/** Somebody who showed a live token: its record and its owner, as they were when this call was identified. */
export interface TokenCaller {
  readonly kind: 'token'
  readonly peer: Peer
  readonly token: TokenRecord
  readonly user: UserRecord
}

/** Somebody without a credential, where the configuration lets Zabbix's two harmless methods be asked so. */
export interface AnonymousCaller {
  readonly kind: 'anonymous'
  readonly peer: Peer
}

/** Who is asking, settled once at the edge, and who may change something. */
export type Caller = LocalCaller | TokenCaller
