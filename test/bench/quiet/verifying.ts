import { type Daemon, temporaryDirectory } from '../../support/daemon.ts'
import { call } from '../../support/talk.ts'
import type { Bench } from '../figure.ts'
import type { Measured } from '../load/load.ts'
import type { LanePlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { type Seeded, seedDaemon } from '../seeding.ts'

const TOKENS = 10_000
const CONNECTIONS = 20
/** More than can be swept while this is measured. */
const EXPIRED = { smallest: 20_000, quick: 20_000, full: 150_000, long: 1_000_000 } as const
/** Calls. */
const WARM_UP = 10_000
/** The same where a sweep has begun: most of it is still to come then. */
const WARM_UP_SWEEPING = 3_000

const WHO_AM_I = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'

/** A daemon that is asked at a fixed rate. */
export interface Verifying {
  readonly daemon: Daemon
  /** A token of a superadmin. */
  readonly token: string
  paced(milliseconds: number, rate: number): Promise<Measured>
  /** Whatever is asked of it is asked while it is awake. */
  awake<T>(work: () => Promise<T>): Promise<T>
}

/** A daemon that sweeps whenever it runs; it stands still in between, so that nobody else is disturbed. */
export interface Sweeping extends Verifying {
  /** Throws when nothing was left to sweep. */
  refuseIfSwept(): Promise<void>
}

export async function prepare(bench: Bench): Promise<{ quiet: Verifying; sweeping: Sweeping }> {
  const quiet = await begin(bench, 0)
  const expired = EXPIRED[bench.form]
  bench.say(`   filling a store with ${expired} tokens that are to be swept`)
  const busy = await begin(bench, expired)
  const awake = awakening(busy.daemon)
  const refuseIfSwept = () => awake(() => refuseSwept(busy, busy.tokens, expired))
  process.kill(busy.daemon.pid, 'SIGSTOP')
  return { quiet, sweeping: { ...busy, awake, refuseIfSwept } }
}

async function begin(bench: Bench, expired: number): Promise<Verifying & { readonly tokens: Seeded }> {
  const directory = temporaryDirectory(bench.scope)
  const tokens = await seedDaemon(directory, bench.tokens(TOKENS), { expired })
  const daemon = await startMeasuredDaemon(bench.scope, { directory })
  const plan: LanePlan = {
    place: { socket: daemon.socket },
    connections: CONNECTIONS,
    request: { protocol: 'http', bearer: true, body: WHO_AM_I, tokens },
  }
  await bench.warm(plan, expired === 0 ? WARM_UP : WARM_UP_SWEEPING)
  const lane = await bench.load.lane(plan)
  return { daemon, tokens, token: tokens.secret, paced: lane.paced, awake: (work) => work() }
}

function awakening({ pid }: Daemon) {
  return async <T>(work: () => Promise<T>): Promise<T> => {
    process.kill(pid, 'SIGCONT')
    try {
      return await work()
    } finally {
      process.kill(pid, 'SIGSTOP')
    }
  }
}

/** It goes by their end, and they have all ended at the same time: the last of them by number is the last to go. */
async function refuseSwept({ daemon, token }: Verifying, tokens: Seeded, expired: number): Promise<void> {
  const last = String(tokens.firstId + tokens.count + expired - 1)
  const { json } = await call(daemon, 'token.get', { tokenids: last }, { token })
  if (!Array.isArray(json.result) || json.result.length === 0)
    throw new Error('the sweep was over before all was measured')
}
