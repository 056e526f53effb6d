import type { MessagePort } from 'node:worker_threads'
import type { Checkpoint } from '../auth/audit-chain.ts'
import type { BackupPage } from '../auth/backups.ts'
import type { LocalCaller } from '../auth/caller.ts'
import type { Rate } from '../auth/limits.ts'
import type { MintWish } from '../auth/operators.ts'
import type { Actor, LiveRecord } from '../auth/records.ts'
import type { Config } from '../config.ts'
import type { NetlinkMemory } from '../linux/loopback.ts'
import type { Reloaded } from '../methods/method.ts'
import type { Maybe } from '../protocol/maybe.ts'
import type { CountsMemory } from '../server/connection-counts.ts'
import type { SharedSocket } from '../server/doors.ts'
import type { RefusalKind } from '../server/refusal-log.ts'
import type { CallCounts } from '../server/telemetry.ts'
import type { Head } from '../store/batch.ts'
import type { OffsetMemory } from '../store/clock-offset.ts'
import type { StoreShare } from '../store/sharing.ts'

/** Which buckets: those of tokens, or those of credentials that are not valid. */
export type RateKind = 'token' | 'failure'

/** What the other threads ask the main one for: what has to be in one place. */
export interface MainOffices {
  takeRate(kind: RateKind, name: string, rate: Rate): Maybe<number | undefined>
  waitRate(kind: RateKind, name: string, rate: Rate): Maybe<number | undefined>
  /** A slot for a call to that upstream; give it back. Throws \`limited\`. */
  takeSlot(upstream: string): Promise<void>
  giveSlot(upstream: string): void
  beginBackup(): Promise<{ readonly id: string; readonly head: Head }>
  readBackup(id: string, from: string): Promise<BackupPage>
  endBackup(id: string): Promise<void>
  checkpoint(): Promise<Checkpoint>
  recordWish(wish: MintWish, caller: LocalCaller): Promise<void>
  recordLateUse(record: LiveRecord, address: string): void
  countRefusals(counts: Partial<Record<RefusalKind, number>>): void
  /** Hands a connection on to a worker. */
  pass(worker: number, at: number, fd: number): Promise<void>
  metrics(): Promise<string>
  endedConnections(): Maybe<number>
  /** Throws Complaint. */
  reload(by: Actor): Promise<Reloaded>
}

/** What the main thread asks each of the others for. */
export interface ThreadOffices {
  listen(sockets: readonly SharedSocket[]): Promise<void>
  /** A connection that another worker has accepted: see Doors.take. */
  take(at: number, fd: number): Promise<void>
  /** Reads what another configuration needs. Throws Complaint. */
  prepare(config: Config): void
  /** Takes over what was prepared. */
  apply(): void
  calls(): ReadonlyMap<string, CallCounts>
  /** By what was acknowledged before it was asked. */
  endedConnections(): number
  /** Rejects when the store cannot be read. */
  check(): Promise<void>
  close(): Promise<void>
}

/** What all threads of a process know together. */
export interface SharedMemory {
  readonly clock: OffsetMemory
  /** See monotonicOrigin(): of the main thread. */
  readonly clockOrigin: number
  readonly access: SharedArrayBuffer
  readonly personalAccess: SharedArrayBuffer
  readonly counts: CountsMemory
  readonly netlink: NetlinkMemory
  /** Whose turn it is to ask for names. */
  readonly names: SharedArrayBuffer
}

/** What a thread starts with. */
export interface ThreadStart {
  /** From 1 on; the main thread is worker 0. */
  readonly worker: number
  readonly config: Config
  readonly pepper: Uint8Array
  readonly store: StoreShare
  readonly offices: MessagePort
  readonly memory: SharedMemory
  /** systemd's netlink socket, where there is one. */
  readonly netlink: number | undefined
}
