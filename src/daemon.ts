import type { Logger } from 'pino'
import { AuditLog } from './auth/audit-log.ts'
import { LastAccess } from './auth/last-access.ts'
import { Ledger } from './auth/ledger.ts'
import { Pepper } from './auth/secret.ts'
import { Sweeper } from './auth/sweeper.ts'
import { TokenGet } from './auth/token-get.ts'
import { TokenObjects } from './auth/token-objects.ts'
import { Tokens } from './auth/tokens.ts'
import { UserObjects } from './auth/user-objects.ts'
import { Users } from './auth/users.ts'
import { Verifier } from './auth/verifier.ts'
import { type Config, reloadConfig } from './config.ts'
import { canAskLoopback } from './linux/loopback.ts'
import { METHODS } from './methods/index.ts'
import type { Services } from './methods/method.ts'
import { Dispatcher } from './server/dispatch.ts'
import { Doors } from './server/doors.ts'
import { Exchange } from './server/exchange.ts'
import { Identification } from './server/identify.ts'
import { Tethers } from './server/tethers.ts'
import { ZabbixDialect } from './server/zabbix.ts'
import { CLOCK_MARK, Clock, SYSTEM_TIME, type TimeSource } from './store/clock.ts'
import { openStateDirectory } from './store/directory.ts'
import type { Store } from './store/store.ts'
import { readVersion } from './version.ts'

const SWEEP_EVERY_MS = 60_000
const MARK_CLOCK_EVERY_MS = 60_000

/** A running daemon. */
export interface Daemon {
  readonly socket: string
  readonly port: number
  /** Takes over what can be taken over while running, and logs what cannot. */
  reload(config: Config): void
  /** Stops accepting, finishes calls in flight, writes what is left, closes. */
  close(): Promise<void>
}

/** Builds every part from a Config and opens the doors; closes them in reverse order. Throws Complaint. */
export async function startDaemon(
  config: Config,
  log: Logger,
  time: TimeSource = SYSTEM_TIME,
): Promise<Daemon> {
  const directory = await openStateDirectory(config.stateDir, config.credentialsDir)
  try {
    return await openDoors(config, directory, log, time)
  } catch (error) {
    await directory.close()
    throw error
  }
}

type Directory = Awaited<ReturnType<typeof openStateDirectory>>

async function openDoors(
  initial: Config,
  directory: Directory,
  log: Logger,
  time: TimeSource,
): Promise<Daemon> {
  let config = initial
  const { store } = directory
  const pepper = new Pepper(directory.pepper)
  const clock = await openClock(store, log, time)
  const ledger = new Ledger(store, clock)
  const users = await Users.open(store, ledger)
  const verifier = new Verifier({ store, pepper, clock, users, cacheSize: config.tokens.cache })
  const lastAccess = new LastAccess(store, ledger, clock)
  const tethers = new Tethers(store, verifier, clock)
  const tokens = new Tokens({ store, ledger, clock, pepper })
  const tokenObjects = new TokenObjects({ store, ledger, clock, pepper, users, tokens })
  const userObjects = new UserObjects({ store, ledger, users, tokens: tokenObjects })
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
    audit: new AuditLog(store),
    methods: METHODS,
    daemon: {
      version: readVersion(),
      backend: 'level',
      uptime: () => Math.floor(performance.now() - started) / 1000,
      writable: () => store.writable,
      connections: () => doors.connections,
    },
  }
  const identification = new Identification(verifier, lastAccess, log)
  const dispatcher = new Dispatcher(services, identification, log)
  const anonymous = () => config.zabbix.anonymous_methods
  const zabbix = new ZabbixDialect({ dispatcher, identification, verifier, limits, anonymous })
  const exchange = new Exchange(dispatcher, limits)
  const doors = new Doors({ exchange, zabbix, limits, verifier, tethers, log, ready: () => store.writable })

  const chores = startChores({ store, ledger, clock, lastAccess, userObjects, log, config: () => config })
  const { listen } = config
  const unix = { path: listen.socket, mode: listen.socket_mode, group: listen.socket_group }
  try {
    const { port } = await doors.open(unix, listen.port)
    if (!canAskLoopback())
      log.warn('the kernel does not tell who connects over TCP: only the Unix socket mints')
    return { socket: listen.socket, port, reload, close }
  } catch (error) {
    await shut()
    throw error
  }

  function reload(next: Config): void {
    const { merged, reloaded, needRestart } = reloadConfig(config, next)
    config = merged
    log.info({ reloaded, needRestart }, 'configuration reloaded')
  }

  async function shut(): Promise<void> {
    await doors.close()
    tethers.close()
    await chores.stop()
  }

  async function close(): Promise<void> {
    await shut()
    await directory.close()
  }
}

async function openClock(store: Store, log: Logger, time: TimeSource): Promise<Clock> {
  const mark = await store.get(CLOCK_MARK)
  return new Clock(mark === undefined ? undefined : Number(mark.value), time, (aheadMs) => {
    const days = Math.round(aheadMs / 86_400_000)
    log.warn(
      { days },
      'the clock is far ahead of the last time that was believed; it will be believed for good in a day',
    )
  })
}

interface ChoreParts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  readonly lastAccess: LastAccess
  readonly userObjects: UserObjects
  readonly log: Logger
  readonly config: () => Config
}

/** What is done now and then: writing last access and the clock's mark, and sweeping. A chore that fails is tried again. */
function startChores({ store, ledger, clock, lastAccess, userObjects, log, config }: ChoreParts): {
  stop(): Promise<void>
} {
  const sweeper = new Sweeper(store, ledger, clock)
  const stopping = new AbortController()
  let running: Promise<unknown> = Promise.resolve()
  const chore = (name: string, work: () => Promise<unknown>) => () => {
    if (!store.writable) return
    running = running.then(work).catch((err: unknown) => log.error({ err, chore: name }, 'a chore failed'))
  }
  const flush = chore('last access', () => lastAccess.flush())
  const sweep = chore('sweep', () => sweeper.sweep(config().tokens.retain_expired, stopping.signal))
  const mark = chore('clock', () => ledger.markTime())
  const timers = [
    setInterval(flush, config().tokens.last_access_flush),
    setInterval(sweep, SWEEP_EVERY_MS),
    setInterval(mark, MARK_CLOCK_EVERY_MS),
  ]
  for (const timer of timers) timer.unref()
  chore('tidy', () => userObjects.tidyDeleted())()
  sweep() // what ended while nobody was running
  return {
    async stop() {
      stopping.abort()
      for (const timer of timers) clearInterval(timer)
      flush()
      mark()
      await running
    },
  }
}
