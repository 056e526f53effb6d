import { type Daemon, startDaemon, temporaryDirectory } from '../../support/daemon.ts'
import { needsProgram } from '../../support/root.ts'
import { rows as rowsIn } from '../../support/stored.ts'
import { mint } from '../../support/talk.ts'
import type { MintRows } from '../baselines/disk.ts'
import { startBare, startDisk, startRedis } from '../baselines/start.ts'
import type { Bench, Figure, Row } from '../figure.ts'
import type { LanePlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { type Contender, Rounds } from '../paired.ts'

const CALLERS = [1, 16, 256, 1024] as const
/** Where the comparison with others is made. */
const MANY = 256
const BURST_MS = 150
/** Calls. */
const WARM_UP = 10_000

const MINT = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":{"ttl":3600},"id":1}'

const AGAINST_REDIS = `${MANY} callers, against redis behind node:http`

const figure: Figure = {
  number: 3,
  name: 'Durable mints over the Unix socket, one call at a time from each caller',
  targets: {
    [`${MANY} callers, against bare node:http`]: { atLeast: 0.3 },
    [`${MANY} callers, against 1 caller`]: { atLeast: 4 },
    [AGAINST_REDIS]: { atLeast: 0.9 },
  },
  async run(bench) {
    const stored = await whatAMintStores(bench)
    const postern = await startMeasuredDaemon(bench.scope)
    await bench.warm(planTo(postern.socket, MANY), WARM_UP)
    const redis = needsProgram('redis-server')
    const contenders = [
      ...(await minting(bench, postern)),
      ...(await bareServers(bench)),
      ...(await bareDisk(bench, stored)),
    ]
    if (!redis.skip) {
      const server = await startRedis(bench.scope, stored.each[0]?.[1] ?? '')
      await bench.warm(planTo(server.socket, MANY), WARM_UP)
      contenders.push(await bench.asking('redis', planTo(server.socket, MANY), BURST_MS))
    }
    const rounds = await Rounds.run(contenders, bench.rounds(12))
    const rows = rowsOf(rounds)
    if (redis.skip) rows.push({ name: AGAINST_REDIS, omitted: redis.skip })
    else rows.push({ name: AGAINST_REDIS, unit: 'ratio', value: rounds.ratio(`mints ${MANY}`, 'redis') })
    return rows
  },
}
export default figure

function planTo(socket: string, connections: number): LanePlan {
  return { place: { socket }, connections, request: { protocol: 'http', body: MINT } }
}

async function minting(bench: Bench, { socket, pid }: Daemon): Promise<Contender[]> {
  const contenders: Contender[] = []
  for (const callers of CALLERS)
    contenders.push(await bench.asking(`mints ${callers}`, planTo(socket, callers), BURST_MS, pid))
  return contenders
}

async function bareServers(bench: Bench): Promise<Contender[]> {
  const results = { 'Auth.CreateApiToken': 'x'.repeat(53) }
  const asking = async (name: string) => {
    const { socket } = await startBare(bench.scope, 'http', results)
    await bench.warm(planTo(socket, MANY), WARM_UP)
    return bench.asking(name, planTo(socket, MANY), BURST_MS)
  }
  return [await asking('bare'), await asking('control')]
}

async function bareDisk(bench: Bench, stored: MintRows): Promise<Contender[]> {
  const disk = await startDisk(bench.scope, stored)
  const writing = (name: string, writers: number): Contender => ({
    name,
    burst: async () => ({ rate: await disk.write(writers, bench.milliseconds(BURST_MS)) }),
  })
  return [writing('batches 1', 1), writing(`batches ${MANY}`, MANY), writing('fdatasync', 0)]
}

/** The rows that a mint leaves behind, as they lie in a database: its own, and those that it shares with others of its group. */
async function whatAMintStores({ scope }: Bench): Promise<MintRows> {
  const directory = temporaryDirectory(scope)
  const daemon = await startDaemon(scope, { directory })
  await mint(daemon, { ttl: 3600 })
  await daemon.stop()
  const stored = await rowsIn(daemon.stateDir)
  const last = (prefix: string, text = '') =>
    stored.filter(([key, value]) => key.startsWith(prefix) && value.includes(text)).slice(-1)
  return {
    each: [
      ...['t/', 'h/', 'u/', 'n/', 'v/', 'x/'].flatMap((prefix) => last(prefix)),
      ...last('e/', 'token.mint'),
    ],
    once: [...stored.filter(([key]) => key.startsWith('m/')), ...last('c/')],
  }
}

function rowsOf(rounds: Rounds): Row[] {
  const ratio = (name: string, one: string, other: string): Row => {
    return { name, unit: 'ratio', value: rounds.ratio(one, other) }
  }
  const many = `mints ${MANY}`
  return [
    ratio('bare node:http once more', 'control', 'bare'),
    ratio(`${MANY} callers, against bare node:http`, many, 'bare'),
    ratio(`${MANY} callers, against 1 caller`, many, 'mints 1'),
    ratio(`1 caller, against synced LevelDB batches of the same bytes`, 'mints 1', 'batches 1'),
    ratio(`${MANY} callers, against synced LevelDB batches of ${MANY}`, many, `batches ${MANY}`),
    ratio('1 caller, against fdatasync', 'mints 1', 'fdatasync'),
    ...CALLERS.flatMap((callers): Row[] => [
      { name: `mints, callers: ${callers}`, unit: 'calls/s', value: rounds.spread(`mints ${callers}`) },
      { name: `p99, callers: ${callers}`, unit: 'ms', value: rounds.spread(`mints ${callers}`, 'p99') },
    ]),
    {
      name: `processor time of a mint, callers: ${MANY}`,
      unit: 'µs',
      value: rounds.spread(many, 'processor'),
    },
    { name: 'fdatasync', unit: 'calls/s', value: rounds.spread('fdatasync') },
  ]
}
