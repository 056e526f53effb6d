import { type Daemon, temporaryDirectory } from '../../support/daemon.ts'
import { Address } from '../../support/remote.ts'
import { mint } from '../../support/talk.ts'
import { doorsOf } from '../doors.ts'
import type { Bench, Figure, Row } from '../figure.ts'
import type { LanePlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { Rounds, spreadOf } from '../paired.ts'
import { revokeUnderWatch } from '../revoking.ts'
import { seedDaemon } from '../seeding.ts'

const WORKERS = 2
const TOKENS = 5_000
const CONNECTIONS = 50
const BURST_MS = 150
const REVOCATIONS = 15
/** Calls: every worker has its own compilers and caches. */
const WARM_UP = 4 * TOKENS

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
  const rounds = await Rounds.run(contenders, bench.rounds(20))
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

/** Calls at all doors, on connections that lie with one worker or the other. */
async function countAccepted(bench: Bench): Promise<Row> {
  const { scope } = bench
  const remote = new Address()
  const more = `[[remote]]\nlisten = "${remote}"\n`
  const daemon = await startWorkers(bench, WORKERS, temporaryDirectory(scope), more)
  const admin = await mint(daemon)
  let accepted = 0
  for (let round = 0; round < bench.rounds(REVOCATIONS).rounds; round++) {
    // Connections that are kept are opened anew for each round, so that they lie elsewhere.
    const doors = doorsOf(scope, daemon, { remote, other: admin })
    const watches = await revokeUnderWatch({ daemon, admin, doors })
    for (const watch of watches.values()) accepted += watch.accepted
  }
  return { name: ACCEPTED, unit: 'calls', value: spreadOf([accepted]) }
}
