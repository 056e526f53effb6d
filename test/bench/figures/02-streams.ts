import { temporaryDirectory } from '../../support/daemon.ts'
import { call } from '../../support/talk.ts'
import { type Server, startBare } from '../baselines/start.ts'
import type { Bench, Figure, Row } from '../figure.ts'
import type { LanePlan, RequestPlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { type Contender, Rounds } from '../paired.ts'
import { type Seeded, seedDaemon } from '../seeding.ts'

const TOKENS = 5_000
const BURST_MS = 80
const BATCH = 100
/** Calls, over each transport. */
const WARM_UP = 4 * TOKENS

const DOORS = { lines: 'newline JSON', websocket: 'WebSocket' } as const
type Protocol = keyof typeof DOORS
const PROTOCOLS = Object.keys(DOORS) as Protocol[]
const BARE = { lines: 'bare node:net', websocket: 'bare ws' } as const

/** How it is asked: so many connections, so many calls under way on each. */
const WAYS = [
  { connections: 50, pipeline: 1, label: '50 connections' },
  { connections: 50, pipeline: 16, label: '50 connections, pipelined 16' },
  { connections: 1, pipeline: 1, label: '1 connection' },
  { connections: 1, pipeline: 16, label: '1 connection, pipelined 16' },
] as const

const WHO_AM_I = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
const WITH_TOKEN = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","params":{"Token":"$TOKEN"},"id":1}'
const BATCHED = `batch of ${BATCH} over HTTP, calls, against single calls`

const figure: Figure = {
  number: 2,
  name: `Auth.WhoAmI with a token in each call, ${TOKENS} tokens, Unix socket, against bare node:http`,
  targets: {
    'newline JSON, 50 connections': { atLeast: 2.2 },
    'newline JSON, 50 connections, pipelined 16': { atLeast: 4.8 },
    'WebSocket, 50 connections': { atLeast: 1.6 },
    'WebSocket, 50 connections, pipelined 16': { atLeast: 2.1 },
    [BATCHED]: { atLeast: 6 },
  },
  async run(bench) {
    const directory = temporaryDirectory(bench.scope)
    const tokens = await seedDaemon(directory, bench.tokens(TOKENS))
    const postern = await startMeasuredDaemon(bench.scope, { directory })
    const { json } = await call(postern, 'Auth.WhoAmI', undefined, { token: tokens.secret })
    const results = { 'Auth.WhoAmI': json.result }
    const contenders = [
      ...(await overHttp(bench, postern, tokens, results)),
      ...(await overStreams(bench, postern, tokens, results)),
    ]
    return rowsOf(await Rounds.run(contenders, bench.rounds(12)))
  },
}
export default figure

async function overHttp(
  bench: Bench,
  postern: Server,
  tokens: Seeded,
  results: Readonly<Record<string, unknown>>,
): Promise<Contender[]> {
  const single: RequestPlan = { protocol: 'http', bearer: true, body: WHO_AM_I, tokens }
  const batch: RequestPlan = { ...single, body: `[${Array(BATCH).fill(WHO_AM_I).join()}]` }
  const [bare, control] = [
    await startBare(bench.scope, 'http', results),
    await startBare(bench.scope, 'http', results),
  ]
  const plan = ({ socket }: Server, connections: number, request: RequestPlan): LanePlan => {
    return { place: { socket }, connections, request }
  }
  await bench.warm(plan(postern, 50, single), WARM_UP)
  for (const server of [bare, control]) await bench.warm(plan(server, 50, single), WARM_UP / 2)
  return [
    await bench.asking('bare http 50', plan(bare, 50, single), BURST_MS),
    await bench.asking('control', plan(control, 50, single), BURST_MS),
    await bench.asking('bare http 1', plan(bare, 1, single), BURST_MS),
    await bench.asking('single', plan(postern, 50, single), BURST_MS),
    await bench.asking('batch', { ...plan(postern, 50, batch), calls: BATCH }, BURST_MS),
  ]
}

async function overStreams(
  bench: Bench,
  postern: Server,
  tokens: Seeded,
  results: Readonly<Record<string, unknown>>,
): Promise<Contender[]> {
  const contenders: Contender[] = []
  for (const protocol of PROTOCOLS) {
    const bare = await startBare(bench.scope, protocol, results)
    const request: RequestPlan = { protocol, body: WITH_TOKEN, tokens }
    for (const { socket } of [postern, bare])
      await bench.warm({ place: { socket }, ...WAYS[1], request }, 5 * WARM_UP)
    for (const { label, ...way } of WAYS) {
      for (const [who, { socket }] of [
        ['postern', postern],
        ['bare', bare],
      ] as const) {
        const plan: LanePlan = { place: { socket }, ...way, request }
        contenders.push(await bench.asking(`${who} ${protocol} ${label}`, plan, BURST_MS))
      }
    }
  }
  return contenders
}

function rowsOf(rounds: Rounds): Row[] {
  const rows: Row[] = [
    { name: 'bare node:http once more', unit: 'ratio', value: rounds.ratio('control', 'bare http 50') },
  ]
  for (const protocol of PROTOCOLS) {
    for (const { label, connections } of WAYS) {
      const name = `${DOORS[protocol]}, ${label}`
      const ours = `postern ${protocol} ${label}`
      rows.push({ name, unit: 'ratio', value: rounds.ratio(ours, `bare http ${connections}`) })
      const value = rounds.ratio(ours, `bare ${protocol} ${label}`)
      rows.push({ name: `${name}, against ${BARE[protocol]}`, unit: 'ratio', value })
    }
  }
  rows.push({ name: BATCHED, unit: 'ratio', value: rounds.ratio('batch', 'single') })
  return rows
}
