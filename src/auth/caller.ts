import type { Live } from './live.ts'
import type { LiveRecord, UserRecord, UserType } from './records.ts'

/** How much each type of user may do; a row's `access` is compared with it. */
export const RANK: Readonly<Record<UserType, number>> = { user: 1, admin: 2, superadmin: 3 }

/**
 * The other end of a connection: what the kernel said about it. Unknown has no power; pid is for description, never for
 * rights. On the remote door the kernel is not even asked.
 */
export interface Peer {
  readonly door: 'unix' | 'tcp' | 'remote'
  /** Printable, for logs and audit: `127.0.0.1`, or `unix`. */
  readonly address: string
  readonly uid: number | undefined
  readonly gid: number | undefined
  /** Supplementary groups; none are known of TCP peers. */
  readonly groups: readonly number[]
  readonly pid: number | undefined
}

/** What an operator may mint, and the rule that says so. */
export interface Grant {
  /** For logs and explanations: `operators[0]`, or what a default is about. */
  readonly rule: string
  /** The only owner of what they mint; undefined: anybody. */
  readonly userid: string | undefined
  /** Milliseconds; undefined: no limit. */
  readonly maxTtl: number | undefined
  readonly scopes: readonly string[]
}

/** Somebody on this host, proved by the kernel, and what they may mint. */
export interface LocalCaller {
  readonly kind: 'local'
  readonly peer: Peer
  readonly grant: Grant
}

/** Somebody who showed a live token: its record and its owner, as they were when this call was identified. */
export interface TokenCaller {
  readonly kind: 'token'
  /** Where the client is: behind a trusted proxy not the connection's other end. */
  readonly address: string
  readonly live: Live
  /** The record of `live`. */
  readonly token: LiveRecord
  readonly user: UserRecord
  /** When it was admitted: its last access. Milliseconds since 1970. */
  readonly at: number
  /** One of several calls that were admitted together (Zabbix's batch): it goes on as it was, whatever the ones before it did. */
  readonly fixed?: boolean
  /** The connection that the call came over: when it is gone, nobody waits for the answer. */
  readonly line?: Line | undefined
  /** The conversation that the call came over, where it can be told more than its answer. */
  readonly outlet?: Outlet | undefined
}

export interface Line {
  /** Called when it is gone. */
  readonly onClosed: Set<() => void>
}

/** A connection that stays open, and takes messages of its own accord. */
export interface Outlet {
  /** Resolves when there is room for more; false: it is over. */
  send(text: string): Promise<boolean>
  /** Ends it, and says why. */
  end(reason: string): void
  onClose(listener: () => void): void
}

/** Somebody without a credential, where the configuration lets Zabbix's two harmless methods be asked so. */
export interface AnonymousCaller {
  readonly kind: 'anonymous'
  readonly address: string
}

/** Who is asking, settled once at the edge, and who may change something. */
export type Caller = LocalCaller | TokenCaller
