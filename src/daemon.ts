import type { Logger } from 'pino'
import { actorOf } from './auth/actor.ts'
import { Buckets } from './auth/buckets.ts'
import { type Actor, DAEMON } from './auth/records.ts'
import { startChores } from './chores.ts'
import type { Config } from './config.ts'
import { recordConfig } from './config-audit.ts'
import { reloadConfig, reloadForCaller } from './config-reload.ts'
import { openGatehouse } from './gatehouse.ts'
import type { Inherited } from './linux/activation.ts'
import { adoptNetlink } from './linux/loopback.ts'
import { shareNames } from './linux/names.ts'
import type { Method, Reloaded } from './methods/method.ts'
import { Metrics } from './metrics.ts'
import { Complaint } from './protocol/complaint.ts'
import { after } from './protocol/maybe.ts'
import { Slots } from './server/gateway/slots.ts'
import { sumOf } from './server/telemetry.ts'
import { CLOCK_MARK, SYSTEM_TIME, type TimeSource } from './store/clock.ts'
import { openStateDirectory, type StateDirectory } from './store/directory.ts'
import { DamagedRecord } from './store/record.ts'
import { StoreSharing } from './store/sharing.ts'
import { Unavailable } from './store/store.ts'
import { reportVouching, vouching } from './vouching.ts'
import { type CentralOffices, mainOffices } from './workers/main-offices.ts'
import { sharedMemory, Threads } from './workers/threads.ts'

/** A running daemon. */
export interface Daemon {
  readonly socket: string
  /** Of the loopback door; undefined where systemd was told to open none. */
  readonly port: number | undefined
  /** Takes over what can be taken over while running; all of it or, throwing a Complaint, nothing. */
  reload(): Promise<Reloaded>
  /** One line for whoever looks after the process. */
  status(): Promise<string>
  /** Rejects when the store cannot be read. */
  check(): Promise<void>
  /** Stops accepting, finishes calls in flight, writes what is left, closes. */
  close(): Promise<void>
}

export interface Surroundings {
  readonly log: Logger
  /** Sockets that systemd has opened. */
  readonly inherited: Inherited
  /** Reads the configuration again. Throws Complaint. */
  readonly reread: () => Config
  /** Rows beside the table's own. */
  readonly methods?: readonly Method[]
  readonly time?: TimeSource
}

/** Builds every part from a Config and opens the doors; closes them in reverse order. Throws Complaint. */
export async function startDaemon(config: Config, surroundings: Surroundings): Promise<Daemon> {
  const { stateDir, credentialsDir, listen } = config
  const sharing = listen.workers > 1 ? new StoreSharing(stateDir) : undefined
  const directory = await openStateDirectory(stateDir, credentialsDir, sharing)
  try {
    return await openDoors(config, directory, surroundings, sharing)
  } catch (error) {
    await directory.close()
    throw error instanceof Unavailable || error instanceof DamagedRecord ? unreadable(config, error) : error
  }
}

function unreadable({ stateDir }: Config, cause: Error): Complaint {
  const hint = '"postern check" says what is left; for the rest, restore your last backup'
  return new Complaint(`the database in ${stateDir} is damaged: ${cause.message}`, hint, { cause })
}

async function openDoors(
  initial: Config,
  directory: StateDirectory,
  { log, inherited, reread, methods = [], time = SYSTEM_TIME }: Surroundings,
  sharing: StoreSharing | undefined,
): Promise<Daemon> {
  const { store, pepper } = directory
  const [netlink] = inherited.diag
  const memory = sharing && sharedMemory()
  if (memory !== undefined) shareNames(memory.names)
  if (netlink !== undefined) adoptNetlink(netlink, memory?.netlink)
  const rates = { token: new Buckets(), failure: new Buckets() }
  const slots = new Map(initial.upstream.map(({ name, concurrency }) => [name, new Slots(concurrency)]))
  const slotsOf = (upstream: string) => slots.get(upstream) as Slots
  const offices: CentralOffices = {
    metrics: () => metrics.text(),
    endedConnections: () =>
      after(threads?.endedConnections() ?? 0, (elsewhere) => house.tethers.ended + elsewhere),
    reload,
    async pass(worker, at, fd) {
      if (worker === 0) doors.take(at, fd)
      else await threads?.take(worker, at, fd)
    },
  }
  const house = await openGatehouse({
    directory,
    config: initial,
    log,
    time,
    methods,
    worker: 0,
    counts: memory?.counts,
    others: memory && { workers: () => listening, pass: offices.pass },
    shared: { ...memory, rates: rates.token, failures: rates.failure },
    slotsOf: ({ name }) => slotsOf(name),
    offices: ({ authority }) => ({
      facts: { ...offices, reload: (caller) => reloadForCaller(() => reload(actorOf(caller))) },
      services: authority,
      lateUses: authority.lateUses,
    }),
  })
  const { authority, doors } = house
  const { ledger, users, tokens, backups } = authority
  const metrics = new Metrics({
    calls: async () => sumOf([house.telemetry.calls, ...((await threads?.calls()) ?? [])]),
    tokens: authority.tokenCounts,
    store,
    users: () => users.count,
    connections: () => house.counts.total,
    workers: () => Array.from({ length: initial.listen.workers }, (_, worker) => house.counts.of(worker)),
    endedConnections: offices.endedConnections,
    upstreams: () => house.gateways,
  })
  const chores = startChores({ ...authority, store, refusals: house.refusals, log, config: house.config })
  let threads: Threads | undefined
  let listening = 1
  let reloading: Promise<unknown> = Promise.resolve()
  try {
    await recordFirst()
    if (sharing !== undefined && memory !== undefined) {
      const served = mainOffices(house, rates, slotsOf, offices)
      threads = await Threads.start({ config: initial, pepper, sharing, memory, netlink, offices: served })
    }
    const { socket, socket_mode: mode, socket_group: group, port: wanted } = initial.listen
    const port = await doors.open(
      { unix: { path: socket, mode, group }, port: wanted },
      initial.remote,
      inherited,
    )
    await threads?.listen(doors.sockets)
    listening = initial.listen.workers
    reportVouching(vouching(initial), log)
    return { socket, port, reload: () => reload(DAEMON), status, check, close }
  } catch (error) {
    await shut()
    throw error
  }

  /** On a full disk verifying goes on; what was changed meanwhile is recorded at the next start that can. */
  async function recordFirst(): Promise<void> {
    if (store.writable) await recordConfig({ store, ledger }, initial, DAEMON)
  }

  /** One after the other: what one has prepared must not be what the other one takes over. */
  function reload(by: Actor): Promise<Reloaded> {
    const mine = reloading.then(() => reloadNow(by))
    reloading = mine.catch(() => {})
    return mine
  }

  /** All or nothing, on every thread, and recorded before it takes effect. */
  async function reloadNow(by: Actor): Promise<Reloaded> {
    const next = reread()
    doors.remote.check(next.remote)
    const { merged, reloaded, needRestart } = reloadConfig(house.config(), next)
    const prepared = house.prepare(merged)
    await threads?.prepare(merged)
    const changes = { reloaded: [...reloaded, ...prepared.renewed], need_restart: needRestart }
    const isNew = changes.reloaded.length > 0
    await recordConfig({ store, ledger }, merged, by, isNew ? { changed: changes.reloaded } : {})
    prepared.apply()
    await threads?.apply()
    log.info({ event: 'reload', ...changes }, 'configuration reloaded')
    return changes
  }

  async function status(): Promise<string> {
    const counted = await tokens.count().catch(() => undefined)
    const number =
      counted === undefined ? 'unreadable' : `${counted.complete ? '' : 'more than '}${counted.count}`
    const stored = `${number} tokens, ${users.count} users`
    return `${store.writable ? '' : 'Refusing writes: see the log. '}${stored}, ${house.counts.total} connections`
  }

  async function check(): Promise<void> {
    await store.get(CLOCK_MARK)
    await threads?.check()
  }

  async function shut(): Promise<void> {
    await Promise.all([house.close(), threads?.close()])
    await backups.close()
    await chores.stop()
  }

  async function close(): Promise<void> {
    await shut()
    await directory.close()
  }
}
