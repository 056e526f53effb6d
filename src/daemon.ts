import type { Logger } from 'pino'
import { printable } from './announcement.ts'
import { actorOf } from './auth/actor.ts'
import type { Outlet, TokenCaller } from './auth/caller.ts'
import { Operators } from './auth/operators.ts'
import { type Actor, DAEMON } from './auth/records.ts'
import { openAuthority } from './authority.ts'
import { buildCallPath } from './call-path.ts'
import { startChores } from './chores.ts'
import type { Config } from './config.ts'
import { recordConfig } from './config-audit.ts'
import { usePolicyOf } from './config-policy.ts'
import { reloadConfig, reloadForCaller } from './config-reload.ts'
import type { Inherited } from './linux/activation.ts'
import { adoptNetlink } from './linux/loopback.ts'
import { METHODS } from './methods/index.ts'
import type { DaemonFacts, Method, Reloaded } from './methods/method.ts'
import { Metrics } from './metrics.ts'
import { Complaint } from './protocol/complaint.ts'
import { Doors } from './server/doors.ts'
import { Gateway, type UpstreamRule } from './server/gateway/gateway.ts'
import { RefusalLog } from './server/refusal-log.ts'
import { Telemetry } from './server/telemetry.ts'
import { Tethers } from './server/tethers.ts'
import { CLOCK_MARK, SYSTEM_TIME, type TimeSource } from './store/clock.ts'
import { openStateDirectory, type StateDirectory } from './store/directory.ts'
import { DamagedRecord } from './store/record.ts'
import { Unavailable } from './store/store.ts'
import { resetClock } from './timekeeping.ts'
import { readVersion } from './version.ts'
import { reportVouching, vouching } from './vouching.ts'

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
  const directory = await openStateDirectory(config.stateDir, config.credentialsDir)
  try {
    return await openDoors(config, directory, surroundings)
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
): Promise<Daemon> {
  let config = initial
  let operators = operatorsOf(config)
  const { store } = directory
  let policy = usePolicyOf(config)
  const { cache: cacheSize } = config.tokens
  const authority = await openAuthority(directory, { cacheSize, log, time, policy: () => policy })
  const { clock, ledger, users, tokens, backups } = authority
  const tethers = new Tethers({ ...authority, store })
  const refusals = new RefusalLog(log)
  const telemetry = new Telemetry()
  const started = performance.now()
  const facts: DaemonFacts = {
    version: readVersion(),
    backend: 'level',
    uptime: () => Math.floor(performance.now() - started) / 1000,
    writable: () => store.writable,
    connections: () => doors.connections,
    endedConnections: () => tethers.ended,
    metrics: () => metrics.text(),
    tie: (caller) => tieConversation(tethers, caller),
    tieListener: ({ live, user, address }, onEnd) => tethers.tie({ live, user }, address, {}, onEnd),
    tieCall: ({ live, user, address }, onEnd) =>
      tethers.tie({ live, user }, address, { isCall: true }, onEnd),
    vouching: () => vouching(config),
    resetClock: (caller) => resetClock(clock, ledger, actorOf(caller)),
    reload: (caller) => reloadForCaller(() => reload(actorOf(caller))),
  }
  const metrics = new Metrics({
    telemetry,
    tokens: authority.tokenCounts,
    store,
    users: () => users.count,
    connections: facts.connections,
    endedConnections: facts.endedConnections,
    upstreams: () => gateways,
  })
  const table = [...METHODS, ...methods]
  for (const rule of config.upstream) refuseTaken(rule, table)
  const { credentialsDir } = config
  const gateways = config.upstream.map(
    (rule) => new Gateway(rule, { store, clock, ledger, log, daemon: facts, credentialsDir }),
  )
  const services = {
    ...authority,
    get methods() {
      return [...table, ...gateways.flatMap((gateway) => [...gateway.rows()])]
    },
    daemon: facts,
    warn: (text: string) => log.warn(printable(text)),
  }
  const doors = new Doors({
    ...buildCallPath({
      services,
      operators: () => operators,
      config: () => config,
      refusals,
      telemetry,
      table,
      gateways,
      log,
    }),
    tethers,
    refusals,
    log,
    ready: () => store.writable,
    credentialsDir: config.credentialsDir,
  })
  const chores = startChores({ ...authority, store, refusals, log, config: () => config })
  try {
    await recordFirst()
    const [netlink] = inherited.diag
    if (netlink !== undefined) adoptNetlink(netlink)
    const { socket, socket_mode: mode, socket_group: group, port: wanted } = config.listen
    const port = await doors.open(
      { unix: { path: socket, mode, group }, port: wanted },
      config.remote,
      inherited,
    )
    reportVouching(vouching(config), log)
    return { socket, port, reload: () => reload(DAEMON), status, check, close }
  } catch (error) {
    await shut()
    throw error
  }

  /** On a full disk verifying goes on; what was changed meanwhile is recorded at the next start that can. */
  async function recordFirst(): Promise<void> {
    if (store.writable) await recordConfig({ store, ledger }, config, DAEMON)
  }

  /** All or nothing, and recorded before it takes effect. */
  async function reload(by: Actor): Promise<Reloaded> {
    const next = reread()
    doors.remote.check(next.remote)
    const { merged, reloaded, needRestart } = reloadConfig(config, next)
    const nextOperators = operatorsOf(merged)
    const certificates = doors.remote.prepare(merged.remote)
    const changes = { reloaded: [...reloaded, ...certificates.renewed], need_restart: needRestart }
    const isNew = changes.reloaded.length > 0
    await recordConfig({ store, ledger }, merged, by, isNew ? { changed: changes.reloaded } : {})
    certificates.apply()
    config = merged
    operators = nextOperators
    policy = usePolicyOf(config)
    log.info({ event: 'reload', ...changes }, 'configuration reloaded')
    return changes
  }

  async function status(): Promise<string> {
    const counted = await tokens.count().catch(() => undefined)
    const number =
      counted === undefined ? 'unreadable' : `${counted.complete ? '' : 'more than '}${counted.count}`
    const stored = `${number} tokens, ${users.count} users`
    return `${store.writable ? '' : 'Refusing writes: see the log. '}${stored}, ${doors.connections} connections`
  }

  async function check(): Promise<void> {
    await store.get(CLOCK_MARK)
  }

  async function shut(): Promise<void> {
    await doors.close()
    for (const gateway of gateways) gateway.close()
    tethers.close()
    await backups.close()
    await chores.stop()
  }

  async function close(): Promise<void> {
    await shut()
    await directory.close()
  }
}

function operatorsOf({ operators, listen }: Config): Operators {
  return new Operators(operators, listen.loopback_mint)
}

/** Tokens that a conversation is tied to already. */
const tied = new WeakMap<Outlet, Set<string>>()

function tieConversation(tethers: Tethers, { live, user, address, outlet }: TokenCaller): void {
  if (outlet === undefined) return
  const hashes = tied.get(outlet) ?? new Set()
  if (hashes.has(live.hash)) return
  tied.set(outlet, hashes.add(live.hash))
  const untie = tethers.tie({ live, user }, address, { connection: outlet }, (reason) => outlet.end(reason))
  outlet.onClose(untie)
}

/** A method of ours is never somebody else's. */
function refuseTaken({ name, namespace }: UpstreamRule, table: readonly Method[]): void {
  const taken = table.find((row) => row.name.startsWith(namespace))
  if (taken === undefined) return
  const hint = 'choose another namespace, and strip = true'
  throw new Complaint(
    `upstream ${name}: ${taken.name} is a method of our own, so ${namespace} is taken`,
    hint,
  )
}
