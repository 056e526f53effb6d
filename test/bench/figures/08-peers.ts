import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../../support/daemon.ts'
import { needsProgram } from '../../support/root.ts'
import { installPeers, startPeer } from '../baselines/peers.ts'
import { spawnRedis } from '../baselines/start.ts'
import type { Bench, Figure, Row } from '../figure.ts'
import type { LanePlan, RequestPlan, SeededTokens } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { type Contender, Rounds } from '../paired.ts'
import { seedDaemon } from '../seeding.ts'

const TOKENS = 1_000
const CONNECTIONS = 32
const BURST_MS = 150
/** Calls; whoever is slow is as warm after fewer. */
const WARM_UP = 10_000
const WARM_UP_SLOW = 1_000

const INTROSPECT = 'POST /token/introspection'
const FORM = 'application/x-www-form-urlencoded'
const WHO_AM_I = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
/** Whoever asks authenticates itself, too: as peers/oidc-provider.mjs has it. */
const INTROSPECTION = 'token=$TOKEN&client_id=gate&client_secret=only-for-the-benchmark'

/** By the name of their file in peers/. */
const PEERS = {
  fastify: 'Fastify, bearer-auth and level',
  express: 'Express, passport and level',
  'oidc-provider': 'introspection of oidc-provider, in memory',
  'better-auth': 'API keys of better-auth, SQLite',
  redis: 'redis GET behind node:http',
} as const
type PeerName = keyof typeof PEERS
const NAMES = Object.keys(PEERS) as PeerName[]
const SLOW: readonly PeerName[] = ['oidc-provider', 'better-auth', 'express']

const against = (name: PeerName) => `against ${PEERS[name]}`
/** Redis is asked at each call: so here the daemon reads its store at each call, too. */
const UNCACHED_AGAINST_REDIS = `not cached, ${against('redis')}`

const figure: Figure = {
  number: 8,
  name: `A token verified over loopback HTTP, ${TOKENS} tokens, ${CONNECTIONS} connections, against others as they come`,
  targets: {
    [against('redis')]: { atLeast: 1.2 },
    [against('fastify')]: { atLeast: 1.8 },
    [against('oidc-provider')]: { atLeast: 5 },
    [against('express')]: { atLeast: 8 },
    [against('better-auth')]: { atLeast: 30 },
  },
  async run(bench) {
    const names = [...NAMES.map(against), UNCACHED_AGAINST_REDIS]
    if (!bench.isThorough) return names.map((name) => ({ name, omitted: 'has to be installed: --form full' }))
    await installPeers(bench.say)
    const contenders = [await postern(bench, 'cached'), await postern(bench, 'uncached')]
    const missing = needsProgram('redis-server').skip
    for (const name of NAMES) if (name !== 'redis' || !missing) contenders.push(await peer(bench, name))
    return rowsOf(await Rounds.run(contenders, bench.rounds(10)), missing)
  },
}
export default figure

async function postern(bench: Bench, name: 'cached' | 'uncached'): Promise<Contender> {
  const directory = temporaryDirectory(bench.scope)
  const tokens = await seedDaemon(directory, TOKENS)
  const config = name === 'cached' ? '' : '[tokens]\ncache = 1\n'
  const { port, pid } = await startMeasuredDaemon(bench.scope, { directory, config })
  const plan = planTo(port, tokens, { body: WHO_AM_I, bearer: true })
  await bench.warm(plan, WARM_UP)
  return bench.asking(name, plan, BURST_MS, pid)
}

async function peer(bench: Bench, name: PeerName): Promise<Contender> {
  const more = name === 'redis' ? [await spawnRedis(bench.scope)] : []
  const { port, pid, tokens } = await startPeer(bench.scope, name, TOKENS, ...more)
  const plan =
    name === 'oidc-provider'
      ? {
          ...planTo(port, tokens, { body: INTROSPECTION, contentType: FORM, target: INTROSPECT }),
          wanted: '"active":true',
        }
      : planTo(port, tokens, { body: WHO_AM_I, bearer: true })
  await refuseUngated(bench, name, plan)
  await bench.warm(plan, SLOW.includes(name) ? WARM_UP_SLOW : WARM_UP)
  return bench.asking(name, plan, BURST_MS, pid)
}

/** Somebody who lets everybody in would be the fastest. */
async function refuseUngated({ scope, load }: Bench, name: string, plan: LanePlan): Promise<void> {
  const file = join(temporaryDirectory(scope), 'wrong')
  writeFileSync(file, 'wrong\n')
  const request = { ...plan.request, tokens: { file, count: 1, firstId: 0 } }
  const lane = await load.lane({ ...plan, connections: 1, request })
  const accepted = await lane.burst(1).catch(() => undefined)
  if (accepted !== undefined) throw new Error(`${name} accepts any token`)
  await lane.close()
}

function planTo(port: number, tokens: SeededTokens, request: Omit<RequestPlan, 'protocol'>): LanePlan {
  return { place: { port }, connections: CONNECTIONS, request: { protocol: 'http', tokens, ...request } }
}

function rowsOf(rounds: Rounds, missing: string | false): Row[] {
  const there = NAMES.filter((name) => name !== 'redis' || !missing)
  const ratio = (name: string, one: string, other: string): Row => {
    return { name, unit: 'ratio', value: rounds.ratio(one, other) }
  }
  const redis: Row[] = missing
    ? [against('redis'), UNCACHED_AGAINST_REDIS].map((name) => ({ name, omitted: missing }))
    : [ratio(UNCACHED_AGAINST_REDIS, 'uncached', 'redis')]
  return [
    ...there.map((name) => ratio(against(name), 'cached', name)),
    ...redis,
    ...there.map((name): Row => {
      const value = rounds.reckoned((of) => of(name, 'processor') / of('cached', 'processor'))
      return { name: `${against(name)}: processor time of its process, against ours`, unit: 'ratio', value }
    }),
    ...['cached', 'uncached', ...there].map((name): Row => {
      return { name: `calls, ${name}`, unit: 'calls/s', value: rounds.spread(name) }
    }),
  ]
}
