import type { Logger } from 'pino'
import { announce } from './announcement.ts'
import { actorOf } from './auth/actor.ts'
import { AuditKey } from './auth/audit-chain.ts'
import { AuditLog } from './auth/audit-log.ts'
import { AUDIT_KEY_PURPOSE, Auditor } from './auth/auditor.ts'
import { Backups } from './auth/backups.ts'
import { Inspection } from './auth/inspection.ts'
import { LastAccess } from './auth/last-access.ts'
import { Ledger } from './auth/ledger.ts'
import { Operators } from './auth/operators.ts'
import { type Actor, DAEMON } from './auth/records.ts'
import { Pepper } from './auth/secret.ts'
import { TokenGet } from './auth/token-get.ts'
import { TokenObjects } from './auth/token-objects.ts'
import { Tokens } from './auth/tokens.ts'
import { UserObjects } from './auth/user-objects.ts'
import { Users } from './auth/users.ts'
import { Verifier } from './auth/verifier.ts'
import { startChores } from './chores.ts'
import type { Config } from './config.ts'
import { recordConfig } from './config-audit.ts'
import { reloadConfig, reloadForCaller } from './config-reload.ts'
import type { Inherited } from './linux/activation.ts'
import { adoptNetlink } from './linux/loopback.ts'
import { METHODS } from './methods/index.ts'
import type { Reloaded, Services } from './methods/method.ts'
import { Dispatcher } from './server/dispatch.ts'
import { Doors } from './server/doors.ts'
import { Exchange } from './server/exchange.ts'
import { Identification } from './server/identify.ts'
import { RefusalLog } from './server/refusal-log.ts'
import { Tethers } from './server/tethers.ts'
import { ZabbixDialect } from './server/zabbix.ts'
import { CLOCK_MARK, SYSTEM_TIME, type TimeSource } from './store/clock.ts'
import { openStateDirectory } from './store/directory.ts'
import { fingerprint } from './store/format.ts'
import type { Store } from './store/store.ts'
import { openClock, resetClock } from './timekeeping.ts'
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
  readonly time?: TimeSource
}

/** Builds every part from a Config and opens the doors; closes them in reverse order. Throws Complaint. */
export async function startDaemon(config: Config, surroundings: Surroundings): Promise<Daemon> {
  const directory = await openStateDirectory(config.stateDir, config.credentialsDir)
  try {
    return await openDoors(config, directory, surroundings)
  } catch (error) {
    await directory.close()
    throw error
  }
}

type Directory = Awaited<ReturnType<typeof openStateDirectory>>

async function openDoors(
  initial: Config,
  directory: Directory,
  { log, inherited, reread, time = SYSTEM_TIME }: Surroundings,
): Promise<Daemon> {
  let config = initial
  let operators = operatorsOf(config)
  const { store } = directory
  const pepper = new Pepper(directory.pepper)
  const clock = await openClock(store, log, time)
  const ledger = new Ledger(store, clock, (event) => announce(event, log))
  const users = await Users.open(store, ledger)
  const verifier = new Verifier({ store, pepper, clock, users, cacheSize: config.tokens.cache })
  const lastAccess = new LastAccess(store, ledger, clock)
  const tethers = new Tethers(store, verifier, clock)
  const tokens = new Tokens({ store, ledger, clock, pepper })
  const tokenObjects = new TokenObjects({ store, ledger, clock, pepper, users, tokens })
  const userObjects = new UserObjects({ store, ledger, users, tokens: tokenObjects })
  const audit = new AuditLog(store)
  const auditKey = new AuditKey(Pepper.derive(directory.pepper, AUDIT_KEY_PURPOSE))
  const auditor = new Auditor({ ledger, log: audit, clock, key: auditKey })
  const refusals = new RefusalLog(log)
  const backups = new Backups(store, fingerprint(directory.pepper))
  const limits = () => config.limits

  const started = performance.now()
  const services: Services = {
    tokens,
    users,
    lastAccess,
    tokenObjects,
    tokenGet: new TokenGet({ store, pepper, lastAccess, users }),
    userObjects,
    verifier,
    audit,
    auditor,
    backups,
    inspect: () => inspect(store, auditKey),
    methods: METHODS,
    daemon: {
      version: readVersion(),
      backend: 'level',
      uptime: () => Math.floor(performance.now() - started) / 1000,
      writable: () => store.writable,
      connections: () => doors.connections,
      vouching: () => vouching(config),
      resetClock: (caller) => resetClock(clock, ledger, actorOf(caller)),
      reload: (caller) => reloadForCaller(() => reload(actorOf(caller))),
    },
  }
  const identification = new Identification({ verifier, lastAccess, operators: () => operators, refusals })
  const dispatcher = new Dispatcher(services, identification, log)
  const anonymous = () => config.zabbix.anonymous_methods
  const zabbix = new ZabbixDialect({ dispatcher, identification, verifier, limits, anonymous })
  const exchange = new Exchange(dispatcher, limits)
  const { credentialsDir } = config
  const ready = () => store.writable
  const doors = new Doors({
    exchange,
    zabbix,
    limits,
    verifier,
    tethers,
    ready,
    refusals,
    log,
    credentialsDir,
  })

  const chores = startChores({
    ...{ store, ledger, clock, lastAccess, userObjects, auditor, refusals, log },
    config: () => config,
  })
  const { listen } = config
  const unix = { path: listen.socket, mode: listen.socket_mode, group: listen.socket_group }
  try {
    await recordConfig({ store, ledger }, config, DAEMON)
    const [netlink] = inherited.diag
    if (netlink !== undefined) adoptNetlink(netlink)
    const port = await doors.open({ unix, port: listen.port }, config.remote, inherited)
    reportVouching(vouching(config), log)
    return { socket: listen.socket, port, reload: () => reload(DAEMON), status, check, close }
  } catch (error) {
    await shut()
    throw error
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
    log.info({ event: 'reload', ...changes }, 'configuration reloaded')
    return changes
  }

  async function status(): Promise<string> {
    const { count, complete } = await tokens.count()
    const stored = `${complete ? '' : 'more than '}${count} tokens, ${users.count} users`
    return `${store.writable ? '' : 'Refusing writes: see the log. '}${stored}, ${doors.connections} connections`
  }

  async function check(): Promise<void> {
    await store.get(CLOCK_MARK)
  }

  async function shut(): Promise<void> {
    await doors.close()
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

/** A look at everything, as it is now. */
function inspect(
  store: Store,
  { publicKey }: AuditKey,
): { readonly inspection: Inspection; close(): Promise<void> } {
  const snapshot = store.snapshot()
  return { inspection: new Inspection(snapshot, publicKey), close: () => snapshot.close() }
}
