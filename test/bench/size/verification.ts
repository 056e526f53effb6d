import { memoryOf } from '../../support/vitals.ts'
import { startReads } from '../baselines/start.ts'
import { cloned } from '../cloning.ts'
import type { Bench, Row } from '../figure.ts'
import type { LanePlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { type Contender, Rounds, spreadOf } from '../paired.ts'
import { elsewhere, type Filled, SIZES, type Size, SMALLEST, tokensIn } from './stores.ts'

const CONNECTIONS = 50
const BURST_MS = 100
/** Tokens that are asked with, where all of them are kept in memory. */
const WORKING_SET = 5_000
/** The same where every one of them is read from the store: in rotation, a cache that is smaller holds none. */
const ROTATION = 100_000
const SMALL_CACHE = 1_000
const MB = 1e6
/** Calls. */
const WARM_UP = 20_000

const WHO_AM_I = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'

export const cachedAgainstSmallest = (size: Size) => `cached, ${tokensIn(size)} against ${tokensIn(SMALLEST)}`
export const missAgainstRead = (size: Size) =>
  `what a miss adds, against a read of LevelDB, ${tokensIn(size)}`
const uncachedAgainstRead = (size: Size) => `an uncached call, against a read of LevelDB, ${tokensIn(size)}`
export const cachedTime = (size: Size) => `processor time of a cached call, ${tokensIn(size)}`
export const uncachedTime = (size: Size) => `processor time of an uncached call, ${tokensIn(size)}`
const readTime = (size: Size) => `processor time of a read of LevelDB, ${tokensIn(size)}`
export const memoryWith = (size: Size) => `anonymous memory after the cached calls, ${tokensIn(size)}`

/** Asks at stores of every size, from memory and past it, and reads what a call past it has to read; all of it in each round. */
export async function measureVerification(bench: Bench, stores: readonly Filled[]): Promise<Row[]> {
  const contenders: Contender[] = []
  const memory = new Map<Size, () => number>()
  for (const store of stores) {
    const { pid, contender } = await asking(bench, store, 'cached')
    contenders.push(
      contender,
      (await asking(bench, store, 'uncached')).contender,
      await reading(bench, store),
    )
    memory.set(store.size, () => memoryOf(pid) / MB)
  }
  const rounds = await Rounds.run(contenders, bench.rounds(15))
  const told = [...memory].flatMap(([size, used]) => rowsOf(rounds, size, used()))
  const omitted = SIZES.filter((size) => !memory.has(size)).flatMap((size): Row[] =>
    [cachedAgainstSmallest(size), missAgainstRead(size)].map((name) => ({ name, omitted: elsewhere(size) })),
  )
  return [...told, ...omitted]
}

async function asking(
  bench: Bench,
  { size, directory, tokens }: Filled,
  way: 'cached' | 'uncached',
): Promise<{ readonly pid: number; readonly contender: Contender }> {
  const config = way === 'cached' ? '' : `[tokens]\ncache = ${SMALL_CACHE}\n`
  const own = cloned(bench.scope, directory)
  const { socket, pid } = await startMeasuredDaemon(bench.scope, { directory: own, config })
  const count = Math.min(size, way === 'cached' ? WORKING_SET : ROTATION)
  const plan: LanePlan = {
    place: { socket },
    connections: CONNECTIONS,
    request: { protocol: 'http', bearer: true, body: WHO_AM_I, tokens: { ...tokens, count } },
  }
  await bench.warm(plan, WARM_UP)
  return { pid, contender: await bench.asking(`${way} ${size}`, plan, BURST_MS, pid) }
}

async function reading({ scope }: Bench, store: Filled): Promise<Contender> {
  const { size, directory, tokens } = store
  const rotation = { ...tokens, count: Math.min(size, ROTATION) }
  const reads = await startReads(scope, cloned(scope, directory), rotation)
  return {
    name: `read ${size}`,
    burst: async () => ({ processor: await reads.read(BURST_MS / 2) }),
  }
}

function rowsOf(rounds: Rounds, size: Size, memory: number): Row[] {
  const time = (who: string) => rounds.spread(`${who} ${size}`, 'processor')
  const reckoned = (reckon: (cached: number, uncached: number, read: number) => number) =>
    rounds.reckoned((value) => {
      const [cached, uncached, read] = ['cached', 'uncached', 'read'].map((who) =>
        value(`${who} ${size}`, 'processor'),
      ) as [number, number, number]
      return reckon(cached, uncached, read)
    })
  const ratio = rounds.ratio(`cached ${size}`, `cached ${SMALLEST}`)
  return [
    ...(size === SMALLEST
      ? []
      : [{ name: cachedAgainstSmallest(size), unit: 'ratio' as const, value: ratio }]),
    {
      name: missAgainstRead(size),
      unit: 'ratio',
      value: reckoned((cached, uncached, read) => (uncached - cached) / read),
    },
    {
      name: uncachedAgainstRead(size),
      unit: 'ratio',
      value: reckoned((_, uncached, read) => uncached / read),
    },
    { name: cachedTime(size), unit: 'µs', value: time('cached') },
    { name: uncachedTime(size), unit: 'µs', value: time('uncached') },
    { name: readTime(size), unit: 'µs', value: time('read') },
    { name: memoryWith(size), unit: 'MB', value: spreadOf([memory]) },
  ]
}
