import type { Logger } from 'pino'
import { actorOf } from '../auth/actor.ts'
import type { RateKeeper } from '../auth/buckets.ts'
import { reloadForCaller } from '../config-reload.ts'
import type { Offices } from '../gatehouse.ts'
import type { Errands } from '../protocol/errands.ts'
import type { SlotKeeper } from '../server/gateway/slots.ts'
import type { MainOffices, RateKind } from './offices.ts'

/** Buckets in the main thread. */
export function keeperIn(main: Errands<MainOffices>, kind: RateKind): RateKeeper {
  return {
    take: (name, rate) => main.ask('takeRate', kind, name, rate),
    wait: (name, rate) => main.ask('waitRate', kind, name, rate),
  }
}

/** Slots in the main thread. One that comes when nobody waits for it any more is given back at once. */
export function slotsIn(main: Errands<MainOffices>, upstream: string): SlotKeeper {
  const give = () => void main.ask('giveSlot', upstream)
  return {
    give,
    take(patience) {
      patience.throwIfOver()
      return new Promise((resolve, reject) => {
        patience.onEnd(reject)
        main
          .ask('takeSlot', upstream)
          .then(() => (patience.reason === undefined ? resolve() : give()), reject)
      })
    },
  }
}

/** What the main thread does for a gatehouse in another one. */
export function officesIn(
  main: Errands<MainOffices>,
  fingerprint: string,
  publicKey: string,
  log: Logger,
): Offices {
  return {
    facts: {
      metrics: () => main.ask('metrics'),
      endedConnections: () => main.ask('endedConnections'),
      reload: (caller) => reloadForCaller(() => main.ask('reload', actorOf(caller))),
    },
    services: {
      auditor: { publicKey, checkpoint: () => main.ask('checkpoint') },
      backups: {
        fingerprint,
        begin: () => main.ask('beginBackup'),
        read: (id, from) => main.ask('readBackup', id, from),
        end: (id) => main.ask('endBackup', id),
      },
      wishRefusals: { record: (wish, caller) => main.ask('recordWish', wish, caller) },
    },
    lateUses: {
      record: (record, address) =>
        void main
          .ask('recordLateUse', record, address)
          .catch((err: unknown) => log.warn({ err }, 'a late use was not recorded')),
    },
  }
}
