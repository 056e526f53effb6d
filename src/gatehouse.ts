import type { Logger } from 'pino'
import { printable } from './announcement.ts'
import { actorOf } from './auth/actor.ts'
import type { Outlet, TokenCaller } from './auth/caller.ts'
import { Operators } from './auth/operators.ts'
import { type Authority, openAuthority, type SharedAuthority } from './authority.ts'
import { buildCallPath } from './call-path.ts'
import type { Config } from './config.ts'
import { usePolicyOf } from './config-policy.ts'
import { METHODS } from './methods/index.ts'
import type { DaemonFacts, Method, Services } from './methods/method.ts'
import { readVersion } from './package.ts'
import { Complaint } from './protocol/complaint.ts'
import { ConnectionCounts, type CountsMemory } from './server/connection-counts.ts'
import { Doors } from './server/doors.ts'
import { Gateway, type UpstreamRule } from './server/gateway/gateway.ts'
import type { SlotKeeper } from './server/gateway/slots.ts'
import { RefusalLog } from './server/refusal-log.ts'
import { type Pass, Relay } from './server/relay.ts'
import { Telemetry } from './server/telemetry.ts'
import { Tethers } from './server/tethers.ts'
import type { TimeSource } from './store/clock.ts'
import type { StateDirectory } from './store/directory.ts'
import { resetClock } from './timekeeping.ts'
import { vouching } from './vouching.ts'

/** What a daemon with several gatehouses has in one place. */
export interface Offices {
  readonly facts: Pick<DaemonFacts, 'metrics' | 'endedConnections' | 'reload'>
  readonly services: Pick<Services, 'auditor' | 'backups' | 'wishRefusals'>
  readonly lateUses: Pick<Authority['lateUses'], 'record'>
}

export interface GatehouseParts {
  readonly directory: Pick<StateDirectory, 'store' | 'pepper'>
  readonly config: Config
  readonly log: Logger
  readonly time: TimeSource
  /** Rows beside the table's own. */
  readonly methods: readonly Method[]
  /** Which of the daemon's workers it is, from 0 on. */
  readonly worker: number
  /** What it shares with the others, if there are any. */
  readonly counts?: CountsMemory | undefined
  /** Where there are others: how many listen, and how to hand a connection to one of them. */
  readonly others?: { readonly workers: () => number; readonly pass: Pass } | undefined
  readonly shared: SharedAuthority
  /** Of a service: each gatehouse has a link of its own to it, but they share its slots. */
  readonly slotsOf: (rule: UpstreamRule) => SlotKeeper
  readonly offices: (house: Pick<Gatehouse, 'authority' | 'tethers'>) => Offices
}

/** All that serves calls in one thread: from the doors, through what a call goes through, to what tokens and users are. */
export interface Gatehouse {
  readonly authority: Authority
  readonly tethers: Tethers
  readonly telemetry: Telemetry
  readonly refusals: RefusalLog
  readonly gateways: readonly Gateway[]
  readonly doors: Doors
  readonly counts: ConnectionCounts
  /** As it is in force. */
  config(): Config
  /** Reads what another configuration needs, says what is new of it, and how to take it over. Throws Complaint, and nothing has changed. */
  prepare(next: Config): { readonly renewed: readonly string[]; apply(): void }
  /** Stops accepting, and finishes calls in flight. */
  close(): Promise<void>
}

export async function openGatehouse(parts: GatehouseParts): Promise<Gatehouse> {
  const { directory, log, time, methods, worker } = parts
  const { store } = directory
  let { config } = parts
  let operators = operatorsOf(config)
  let policy = usePolicyOf(config)
  const { credentialsDir, tokens } = config
  const options = { cacheSize: tokens.cache, log, time, policy: () => policy, shared: parts.shared }
  const authority = await openAuthority(directory, options)
  const { clock, ledger } = authority
  const tethers = new Tethers({ ...authority, store })
  const refusals = new RefusalLog(log, config.listen.workers)
  const telemetry = new Telemetry()
  const counts = new ConnectionCounts(parts.counts, worker)
  const offices = parts.offices({ authority, tethers })
  const started = performance.now()
  const facts: DaemonFacts = {
    version: readVersion(),
    backend: 'level',
    workers: config.listen.workers,
    uptime: () => Math.floor(performance.now() - started) / 1000,
    writable: () => store.writable,
    connections: () => counts.total,
    ...offices.facts,
    tie: (caller) => tieConversation(tethers, caller),
    tieListener: ({ live, user, address }, onEnd) => tethers.tie({ live, user }, address, {}, onEnd),
    tieCall: ({ live, user, address }, onEnd) =>
      tethers.tie({ live, user }, address, { isCall: true }, onEnd),
    vouching: () => vouching(config),
    resetClock: (caller) => resetClock(clock, ledger, actorOf(caller)),
  }
  const table = [...METHODS, ...methods]
  for (const rule of config.upstream) refuseTaken(rule, table)
  const gateways = config.upstream.map(
    (rule) =>
      new Gateway(rule, {
        store,
        clock,
        ledger,
        log,
        slots: parts.slotsOf(rule),
        daemon: facts,
        credentialsDir,
      }),
  )
  const services = {
    ...authority,
    ...offices.services,
    lateUses: offices.lateUses,
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
      failures: parts.shared.failures,
      refusals,
      telemetry,
      table,
      gateways,
      log,
    }),
    tethers,
    refusals,
    log,
    counts,
    relay: parts.others && new Relay(counts, parts.others.workers, parts.others.pass),
    ready: () => store.writable,
    credentialsDir,
  })
  return {
    authority,
    tethers,
    telemetry,
    refusals,
    gateways,
    doors,
    counts,
    config: () => config,
    prepare(next) {
      const nextOperators = operatorsOf(next)
      const certificates = doors.remote.prepare(next.remote)
      const apply = () => {
        certificates.apply()
        config = next
        operators = nextOperators
        policy = usePolicyOf(config)
      }
      return { renewed: certificates.renewed, apply }
    },
    async close() {
      await doors.close()
      for (const gateway of gateways) gateway.close()
      tethers.close()
    },
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
