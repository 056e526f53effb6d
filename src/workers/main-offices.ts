import type { RateKeeper } from '../auth/buckets.ts'
import type { Actor } from '../auth/records.ts'
import type { Gatehouse } from '../gatehouse.ts'
import type { Reloaded } from '../methods/method.ts'
import type { Maybe } from '../protocol/maybe.ts'
import { Patience } from '../server/gateway/patience.ts'
import type { SlotKeeper } from '../server/gateway/slots.ts'
import type { MainOffices, RateKind } from './offices.ts'

/** What is about all threads. */
export interface CentralOffices {
  pass(worker: number, at: number, fd: number): Promise<void>
  metrics(): Promise<string>
  endedConnections(): Maybe<number>
  /** Throws Complaint. */
  reload(by: Actor): Promise<Reloaded>
}

/** What the main thread does for the others: by what its own gatehouse has. */
export function mainOffices(
  { authority, refusals }: Pick<Gatehouse, 'authority' | 'refusals'>,
  rates: Readonly<Record<RateKind, RateKeeper>>,
  slotsOf: (upstream: string) => SlotKeeper,
  { pass, metrics, endedConnections, reload }: CentralOffices,
): MainOffices {
  const { backups, auditor, wishRefusals, lateUses } = authority
  return {
    takeRate: (kind, name, rate) => rates[kind].take(name, rate),
    waitRate: (kind, name, rate) => rates[kind].wait(name, rate),
    takeSlot: async (upstream) => slotsOf(upstream).take(new Patience()),
    giveSlot: (upstream) => slotsOf(upstream).give(),
    beginBackup: () => backups.begin(),
    readBackup: (id, from) => backups.read(id, from),
    endBackup: (id) => backups.end(id),
    checkpoint: () => auditor.checkpoint(),
    recordWish: (wish, caller) => wishRefusals.record(wish, caller),
    recordLateUse: (record, address) => lateUses.record(record, address),
    countRefusals: (counts) => refusals.add(counts),
    pass,
    metrics,
    endedConnections,
    reload,
  }
}
