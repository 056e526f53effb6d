import { memoryOf } from '../../support/vitals.ts'
import { cloned } from '../cloning.ts'
import type { Bench, Row } from '../figure.ts'
import type { LanePlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { spreadOf } from '../paired.ts'
import { type Filled, powerOf } from './stores.ts'

const BATCH = 100
const MB = 1e6
/** By the form in which there is time for so many. */
const COUNTS = { full: 100_000, long: 1_000_000 } as const

const MINT = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":{"ttl":3600},"id":1}'
const WHO_AM_I = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","params":{"Token":"$TOKEN"},"id":1}'

const memoryAfter = (count: number) =>
  `anonymous memory after 10${powerOf(count)} mints and 10${powerOf(count)} verifications`
export const MEMORY_ROWS = Object.values(COUNTS).map(memoryAfter)

/** Mints, and verifies as many different tokens, so that every cache is as full as it gets. */
export async function measureMemory(bench: Bench, stores: readonly Filled[]): Promise<Row[]> {
  const { form, scope } = bench
  const count = form === 'full' || form === 'long' ? COUNTS[form] : undefined
  const store = stores.find(({ size }) => count !== undefined && size >= count)
  const told: Row[] = []
  if (count !== undefined && store !== undefined) {
    const { socket, pid } = await startMeasuredDaemon(scope, { directory: cloned(scope, store.directory) })
    const lines = (body: string, more?: object): LanePlan => ({
      place: { socket },
      connections: 4,
      request: { protocol: 'lines', body, ...more },
    })
    await bench.serve({ ...lines(`[${Array(BATCH).fill(MINT)}]`), calls: BATCH }, count)
    await bench.serve(lines(WHO_AM_I, { tokens: store.tokens }), count)
    const value = spreadOf([memoryOf(pid) / MB])
    told.push({ name: memoryAfter(count), unit: 'MB', value })
  }
  const others = (['full', 'long'] as const).filter((one) => one !== form)
  const omitted = others.map((one): Row => {
    return { name: memoryAfter(COUNTS[one]), omitted: `only with --form ${one}` }
  })
  return [...told, ...omitted]
}
