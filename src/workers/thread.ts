import { workerData } from 'node:worker_threads'
import type { Config } from '../config.ts'
import { type Gatehouse, openGatehouse } from '../gatehouse.ts'
import { adoptNetlink } from '../linux/loopback.ts'
import { shareNames } from '../linux/names.ts'
import { createLog } from '../log.ts'
import { Errands } from '../protocol/errands.ts'
import { CLOCK_MARK, timeOf } from '../store/clock.ts'
import { fingerprint } from '../store/format.ts'
import { ThreadStore } from '../store/thread-store.ts'
import { keeperIn, officesIn, slotsIn } from './distant.ts'
import type { MainOffices, ThreadOffices, ThreadStart } from './offices.ts'
import { startThreadChores } from './thread-chores.ts'

/** What a thread beside the main one runs: a gatehouse, and the word of the main thread where something has to be in one place. */
export async function serveBeside(): Promise<void> {
  const start = workerData as ThreadStart
  const { worker, config, memory, netlink } = start
  const log = createLog().child({ worker })
  shareNames(memory.names)
  if (netlink !== undefined) adoptNetlink(netlink, memory.netlink)
  const pepper = Buffer.from(start.pepper)
  const store = await ThreadStore.open(start.store)
  const main = new Errands<MainOffices>(start.offices)
  const house = await openGatehouse({
    directory: { store, pepper },
    config,
    log,
    time: timeOf(memory.clockOrigin),
    methods: [],
    worker,
    counts: memory.counts,
    others: { workers: () => config.listen.workers, pass: (...args) => main.ask('pass', ...args) },
    shared: { ...memory, rates: keeperIn(main, 'token'), failures: keeperIn(main, 'failure') },
    slotsOf: ({ name }) => slotsIn(main, name),
    offices: ({ authority }) => officesIn(main, fingerprint(pepper), authority.auditor.publicKey, log),
  })
  const chores = startThreadChores({ ...house.authority, ...house, store, log, main })
  main.serve(officesOf(house, config, store, chores))
}

function officesOf(
  house: Gatehouse,
  config: Config,
  store: ThreadStore,
  chores: { stop(): Promise<void> },
): ThreadOffices {
  let prepared: { apply(): void } | undefined
  let begin = () => {}
  const listening = new Promise<void>((resolve) => {
    begin = resolve
  })
  return {
    async listen(sockets) {
      await house.doors.join(sockets, config.remote)
      begin()
    },
    async take(at, fd) {
      await listening // another one may have begun a moment earlier
      house.doors.take(at, fd)
    },
    prepare(next) {
      prepared = house.prepare(next)
    },
    apply: () => prepared?.apply(),
    calls: () => house.telemetry.calls,
    endedConnections() {
      store.refresh()
      return house.tethers.ended
    },
    async check() {
      await store.get(CLOCK_MARK)
    },
    async close() {
      await house.close()
      await chores.stop()
      await store.close()
    },
  }
}
