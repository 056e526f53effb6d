import { type Daemon, temporaryDirectory } from '../../support/daemon.ts'
import { conversation, type Lines } from '../../support/lives.ts'
import { Address } from '../../support/remote.ts'
import { mint } from '../../support/talk.ts'
import { doorsOf } from '../doors.ts'
import type { Bench, Figure, Row } from '../figure.ts'
import type { LanePlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { Rounds, spreadOf } from '../paired.ts'
import { type Gate, revoke, revokeUnderWatch } from '../revoking.ts'
import { seedDaemon } from '../seeding.ts'

const WORKERS = 2
const TOKENS = 5_000
const CONNECTIONS = 50
const BURST_MS = 150
const REVOCATIONS = 10
/** Calls: every worker has its own compilers and caches. */
const WARM_UP = 4 * TOKENS

/** Enough for each worker to have some. */
const CONVERSATIONS = 8
/** Calls on each of them. */
const NOISE = 150
const AFTERWARDS = 25

const WHO_AM_I = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
const RATIO = `${WORKERS} workers, against one`
const ACCEPTED = 'accepted calls begun after the acknowledgement of a revocation, all doors'
const UNKNOWN_KEY = /listen\.workers/

const figure: Figure = {
  number: 9,
  name: `${WORKERS} workers: Auth.WhoAmI over the Unix socket, ${CONNECTIONS} connections, ${TOKENS} tokens`,
  targets: { [RATIO]: { atLeast: 1.25 }, [ACCEPTED]: { atMost: 0 } },
  async run(bench) {
    try {
      return [...(await measureRates(bench)), await countAccepted(bench)]
    } catch (error) {
      if (!UNKNOWN_KEY.test((error as Error).message)) throw error
      const omitted = 'this daemon does not know listen.workers'
      return [RATIO, ACCEPTED].map((name) => ({ name, omitted }))
    }
  },
}
export default figure

function startWorkers(bench: Bench, workers: number, directory: string, more = ''): Promise<Daemon> {
  return startMeasuredDaemon(bench.scope, {
    directory,
    config: `[listen]\nworkers = ${workers}\n${more}`,
  })
}

async function measureRates(bench: Bench): Promise<Row[]> {
  const contenders = []
  for (const [name, workers] of [
    ['several', WORKERS],
    ['one', 1],
    ['control', 1],
  ] as const) {
    const directory = temporaryDirectory(bench.scope)
    const tokens = await seedDaemon(directory, TOKENS)
    const { socket, pid } = await startWorkers(bench, workers, directory)
    const plan: LanePlan = {
      place: { socket },
      connections: CONNECTIONS,
      request: { protocol: 'http', bearer: true, body: WHO_AM_I, tokens },
    }
    await bench.warm(plan, WARM_UP)
    contenders.push(await bench.asking(name, plan, BURST_MS, pid))
  }
  const rounds = await Rounds.run(contenders, bench.rounds(12))
  const load = 'share of a processor that the load has used'
  return [
    { name: 'one worker once more', unit: 'ratio', value: rounds.ratio('control', 'one') },
    { name: RATIO, unit: 'ratio', value: rounds.ratio('several', 'one') },
    {
      name: `${RATIO}: processor time of a call`,
      unit: 'ratio',
      value: rounds.ratio('several', 'one', 'processor'),
    },
    { name: `calls, ${WORKERS} workers`, unit: 'calls/s', value: rounds.spread('several') },
    { name: 'calls, one worker', unit: 'calls/s', value: rounds.spread('one') },
    { name: `${load}, ${WORKERS} workers`, unit: 'ratio', value: rounds.spread('several', 'busy') },
  ]
}

/** Calls at all doors, and in one breath with what was asked before the revocation was acknowledged. */
async function countAccepted(bench: Bench): Promise<Row> {
  const { scope } = bench
  const remote = new Address()
  const more = `[[remote]]\nlisten = "${remote}"\n`
  const daemon = await startWorkers(bench, WORKERS, temporaryDirectory(scope), more)
  const admin = await mint(daemon)
  const conversations = Array.from({ length: CONVERSATIONS }, () => conversation(scope, daemon))
  let accepted = 0
  for (let round = 0; round < bench.rounds(REVOCATIONS).rounds; round++) {
    // Connections that are kept are opened anew for each round, so that they lie elsewhere.
    const gate = { daemon, admin, doors: doorsOf(scope, daemon, { remote, other: admin }) }
    for (const watch of (await revokeUnderWatch(gate)).values()) accepted += watch.accepted
    accepted += await acceptedInOneBreath(gate, conversations)
  }
  return { name: ACCEPTED, unit: 'calls', value: spreadOf([accepted]) }
}

/**
 * Each worker has so much to read on a connection that what is asked there after the acknowledgement is taken together
 * with it: otherwise the news of the revocation would always have been heard by then.
 */
async function acceptedInOneBreath(gate: Gate, conversations: readonly Lines[]): Promise<number> {
  const token = await mint(gate.daemon)
  const askAll = (count: number, method: string, params?: object) =>
    conversations.flatMap((lines) => Array.from({ length: count }, () => lines.call(method, params)))
  await Promise.all(askAll(1, 'Auth.WhoAmI', { Token: token }))
  const revoked = revoke(gate, token)
  const noise = askAll(NOISE, 'none')
  await revoked
  const answers = await Promise.all(askAll(AFTERWARDS, 'Auth.WhoAmI', { Token: token }))
  await Promise.all(noise)
  return answers.filter((answer) => answer !== undefined && answer.error === undefined).length
}
