import type { Registry } from 'prom-client'
import type { TokenCounts } from './auth/token-counts.ts'
import type { Maybe } from './protocol/maybe.ts'
import { BUCKETS, type CallCounts } from './server/telemetry.ts'
import type { Store } from './store/store.ts'

export interface MetricSources {
  /** Of all threads. */
  calls(): Promise<Calls>
  readonly tokens: TokenCounts
  readonly store: Store
  users(): number
  connections(): number
  /** Of each worker, where there are several. */
  workers(): readonly number[]
  endedConnections(): Maybe<number>
  upstreams(): Iterable<{ readonly name: string; readonly isUp: boolean }>
}

type Calls = ReadonlyMap<string, CallCounts>

/** The daemon in numbers, in Prometheus' text format. What is counted is counted elsewhere; this words it when it is asked. */
export class Metrics {
  readonly #sources: MetricSources
  #registry: Promise<Registry> | undefined

  constructor(sources: MetricSources) {
    this.#sources = sources
  }

  async text(): Promise<string> {
    this.#registry ??= register(this.#sources)
    return (await this.#registry).metrics()
  }
}

/** Loaded when it is asked for first: a daemon that nobody scrapes starts without it. */
async function register({ tokens, store, ...facts }: MetricSources): Promise<Registry> {
  const { Counter, Gauge, Registry } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  new Counter({
    name: 'postern_calls_total',
    help: 'Calls by method and outcome.',
    labelNames: ['method', 'outcome'],
    registers,
    async collect() {
      const calls = await facts.calls()
      this.reset()
      for (const [method, { outcomes }] of calls)
        for (const [outcome, count] of outcomes) this.inc({ method, outcome }, count)
    },
  })
  new Counter({
    name: 'postern_ended_connections_total',
    help: 'Connections that were ended because their token ended.',
    registers,
    async collect() {
      const ended = await facts.endedConnections()
      this.reset()
      this.inc(ended)
    },
  })
  new Gauge({
    name: 'postern_tokens',
    help: 'Tokens by state, counted once a minute, among the first 100,000.',
    labelNames: ['state'],
    registers,
    async collect() {
      for (const [state, count] of Object.entries(await tokens.byState())) this.set({ state }, count)
    },
  })
  new Gauge({
    name: 'postern_upstream_up',
    help: 'Whether a service behind the gate answers, and its methods are known.',
    labelNames: ['upstream'],
    registers,
    collect() {
      for (const { name, isUp } of facts.upstreams()) this.set({ upstream: name }, isUp ? 1 : 0)
    },
  })
  gauge('postern_users', 'Users.', facts.users)
  gauge('postern_connections', 'Open connections, on all doors.', facts.connections)
  if (facts.workers().length > 1) {
    new Gauge({
      name: 'postern_worker_connections',
      help: 'Open connections of each thread.',
      labelNames: ['worker'],
      registers,
      collect() {
        for (const [worker, count] of facts.workers().entries()) this.set({ worker }, count)
      },
    })
  }
  gauge('postern_store_writable', 'Whether writes are accepted.', () => (store.writable ? 1 : 0))
  gauge('postern_store_queue', 'Commits that wait to be written.', () => store.queued)
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  const start = Date.now() / 1000 - process.uptime()
  gauge('process_start_time_seconds', 'Start of the process since the Unix epoch.', () => start)
  registry.registerMetric(durations(facts.calls) as never)
  return registry
}

const DURATION = 'postern_call_duration_seconds'

/** A histogram whose buckets are counted already, which prom-client's own cannot take over: in its form of one. */
function durations(calls: () => Promise<Calls>) {
  const help = 'How long calls took, from their message to their answer.'
  return {
    name: DURATION,
    help,
    type: 'histogram',
    get: async () => ({
      name: DURATION,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: [...(await calls())].flatMap(([method, counts]) => valuesOf(method, counts)),
    }),
  }
}

function valuesOf(method: string, { durations, seconds }: CallCounts): object[] {
  let total = 0
  const buckets = durations.map((count, at) => {
    total += count
    return { metricName: `${DURATION}_bucket`, labels: { method, le: BUCKETS[at] ?? '+Inf' }, value: total }
  })
  const labels = { method }
  return [
    ...buckets,
    { metricName: `${DURATION}_sum`, labels, value: seconds },
    { metricName: `${DURATION}_count`, labels, value: total },
  ]
}
