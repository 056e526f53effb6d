import { temporaryDirectory } from '../../support/daemon.ts'
import { call } from '../../support/talk.ts'
import { type Server, startBare } from '../baselines/start.ts'
import type { Bench, Figure, Row } from '../figure.ts'
import type { LanePlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { type Contender, Rounds } from '../paired.ts'
import { type Seeded, seedDaemon } from '../seeding.ts'

const CONNECTIONS = 50
const CACHED = 10_000
/** Ten times what the cache holds: in rotation, every call misses it. */
const UNCACHED = 1_000_000
const BURST_MS = 100
const PACED_MS = 150
/** Calls: three times around all tokens. */
const WARM_UP = 3 * CACHED

const METHODS = {
  'Auth.WhoAmI': '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}',
  'token.get': '{"jsonrpc":"2.0","method":"token.get","params":{"tokenids":"$ID"},"id":1}',
}
type MethodName = keyof typeof METHODS
const NAMES = Object.keys(METHODS) as MethodName[]

const DOORS = ['Unix socket', 'loopback'] as const
type Door = (typeof DOORS)[number]

const CONTROL = 'bare node:http once more'

/** A daemon with tokens, and two equal bare servers. */
interface Field {
  readonly tokens: Seeded
  readonly postern: Server
  readonly bare: Server
  readonly control: Server
}

const figure: Figure = {
  number: 1,
  name: `An authenticated call over HTTP, ${CONNECTIONS} connections, against bare node:http`,
  targets: {
    ...Object.fromEntries(
      DOORS.flatMap((door) => [
        [`Auth.WhoAmI, ${door}`, { atLeast: 0.95 }],
        [`token.get, ${door}`, { atLeast: 0.8 }],
        [`Auth.WhoAmI, ${door}: p99 at half rate`, { atMost: 1.5 }],
      ]),
    ),
    'Auth.WhoAmI, 10⁶ tokens in rotation': { atLeast: 0.75 },
  },
  async run(bench) {
    const field = await prepare(bench, bench.tokens(CACHED))
    await warm(bench, field)
    const rows: Row[] = []
    for (const door of DOORS) {
      await measureRates(bench, field, door, rows)
      await measureLatencies(bench, field, door, rows)
    }
    rows.push(await measureUncached(bench))
    return rows
  },
}
export default figure

async function prepare({ scope }: Bench, count: number): Promise<Field> {
  const directory = temporaryDirectory(scope)
  const tokens = await seedDaemon(directory, count)
  const postern = await startMeasuredDaemon(scope, { directory })
  const results: Record<string, unknown> = {}
  for (const method of NAMES) {
    const params = method === 'token.get' ? { tokenids: String(tokens.firstId) } : undefined
    results[method] = (await call(postern, method, params, { token: tokens.secret })).json.result
  }
  const bare = () => startBare(scope, 'http', results)
  return { tokens, postern, bare: await bare(), control: await bare() }
}

async function warm(bench: Bench, field: Field): Promise<void> {
  for (const method of NAMES) {
    await bench.warm(planTo(field, 'postern', 'Unix socket', method), WARM_UP)
    await bench.warm(planTo(field, 'bare', 'Unix socket', method), WARM_UP / 2)
  }
  await bench.warm(planTo(field, 'control', 'Unix socket', 'Auth.WhoAmI'), WARM_UP)
}

async function measureRates(bench: Bench, field: Field, door: Door, rows: Row[]): Promise<void> {
  const contenders: Contender[] = []
  for (const method of NAMES) {
    contenders.push(await asking(bench, field, 'postern', door, method))
    contenders.push(await asking(bench, field, 'bare', door, method))
  }
  contenders.push(await asking(bench, field, 'control', door, 'Auth.WhoAmI'))
  const rounds = await Rounds.run(contenders, bench.rounds(16))
  const bare = 'bare Auth.WhoAmI'
  rows.push({ name: `${CONTROL}, ${door}`, unit: 'ratio', value: rounds.ratio('control Auth.WhoAmI', bare) })
  for (const method of NAMES) {
    const value = rounds.ratio(`postern ${method}`, `bare ${method}`)
    rows.push({ name: `${method}, ${door}`, unit: 'ratio', value })
    const time = rounds.ratio(`postern ${method}`, `bare ${method}`, 'processor')
    rows.push({ name: `${method}, ${door}: processor time of the server`, unit: 'ratio', value: time })
  }
  const used = rounds.spread('postern Auth.WhoAmI', 'processor')
  rows.push({ name: `Auth.WhoAmI, ${door}: processor time of a call`, unit: 'µs', value: used })
  rows.push({
    name: `Auth.WhoAmI, ${door}: calls`,
    unit: 'calls/s',
    value: rounds.spread('postern Auth.WhoAmI'),
  })
}

/** At half of what Auth.WhoAmI reaches at that moment: on a busy machine, half of what it has reached once may be too much. */
async function measureLatencies(bench: Bench, field: Field, door: Door, rows: Row[]): Promise<void> {
  const atFullRate = await asking(bench, field, 'postern', door, 'Auth.WhoAmI')
  let rate = 0
  const before = async () => {
    rate = ((await atFullRate.burst()).rate as number) / 2
  }
  const contenders: Contender[] = []
  for (const who of ['postern', 'bare', 'control'] as const) {
    const plan = planTo(field, who, door, 'Auth.WhoAmI')
    contenders.push(await bench.pacing(who, plan, PACED_MS, () => rate))
  }
  const rounds = await Rounds.run(contenders, { ...bench.rounds(12), before })
  for (const [quantity, label] of [
    ['p50', 'p50'],
    ['p99', 'p99'],
    ['p999', 'p99.9'],
  ] as const) {
    const name = `Auth.WhoAmI, ${door}: ${label} at half rate`
    rows.push({ name, unit: 'ratio', value: rounds.ratio('postern', 'bare', quantity) })
    rows.push({ name: `${name}, absolute`, unit: 'ms', value: rounds.spread('postern', quantity) })
    if (quantity === 'p99') {
      const value = rounds.ratio('control', 'bare', quantity)
      rows.push({ name: `${CONTROL}, ${door}: ${label} at half rate`, unit: 'ratio', value })
    }
  }
}

async function measureUncached(bench: Bench): Promise<Row> {
  const name = 'Auth.WhoAmI, 10⁶ tokens in rotation'
  if (!bench.isLong) return { name, omitted: 'takes minutes: --form long' }
  bench.say(`   filling a store with ${UNCACHED} tokens`)
  const field = await prepare(bench, UNCACHED)
  const contenders: Contender[] = []
  for (const who of ['postern', 'bare'] as const) {
    await bench.warm(planTo(field, who, 'Unix socket', 'Auth.WhoAmI'), WARM_UP)
    contenders.push(await asking(bench, field, who, 'Unix socket', 'Auth.WhoAmI'))
  }
  const rounds = await Rounds.run(contenders, bench.rounds(30))
  return { name, unit: 'ratio', value: rounds.ratio('postern Auth.WhoAmI', 'bare Auth.WhoAmI') }
}

type Who = 'postern' | 'bare' | 'control'

function asking(bench: Bench, field: Field, who: Who, door: Door, method: MethodName): Promise<Contender> {
  return bench.asking(`${who} ${method}`, planTo(field, who, door, method), BURST_MS, field[who].pid)
}

/** The same bytes for everybody. */
function planTo(field: Field, who: Who, door: Door, method: MethodName): LanePlan {
  const { socket, port } = field[who]
  const place = door === 'loopback' ? { port } : { socket }
  const request = { protocol: 'http', bearer: true, body: METHODS[method], tokens: field.tokens } as const
  return { place, connections: CONNECTIONS, request }
}
