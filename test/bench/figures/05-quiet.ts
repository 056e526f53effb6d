import type { Figure, Row } from '../figure.ts'
import type { Contender } from '../paired.ts'
import { Rounds } from '../paired.ts'
import { Disturbances, type Trouble } from '../quiet/disturbances.ts'
import { prepare, type Verifying } from '../quiet/verifying.ts'

/** Calls per second: a small part of what is reached. */
const RATE = 2_000
const BURST_MS = 500
/** In less than this LevelDB may find nothing to compact. */
const SHORTEST_MS = 250
const QUIET = 'quiet'
const AGAIN = 'quiet once more'

/** By the name of the row; the sweep goes on in a daemon of its own, which has something to sweep. */
const ROWS: Readonly<Record<string, { readonly sweeping: boolean; readonly troubles: readonly Trouble[] }>> =
  {
    'while 1,000 mints a second are made': { sweeping: false, troubles: ['mints'] },
    'during a sweep': { sweeping: true, troubles: [] },
    'during a backup': { sweeping: false, troubles: ['backup'] },
    'during compactions': { sweeping: false, troubles: ['compactions'] },
    'during all of it together': { sweeping: true, troubles: ['mints', 'backup', 'compactions'] },
  }
const NAMES = Object.keys(ROWS)
const p99 = (name: string) => `${name}: p99`

const figure: Figure = {
  number: 5,
  name: `Auth.WhoAmI ${RATE} times a second over the Unix socket while other work is done, against a quiet daemon`,
  targets: Object.fromEntries(NAMES.map((name) => [p99(name), { atMost: 2 }])),
  async run(bench) {
    const { quiet, sweeping } = await prepare(bench)
    const milliseconds = Math.max(SHORTEST_MS, bench.milliseconds(BURST_MS))
    const verify = (daemon: Verifying) => daemon.paced(milliseconds, RATE)
    const contenders: Contender[] = [QUIET, AGAIN].map((name) => ({ name, burst: () => verify(quiet) }))
    const all: Disturbances[] = []
    for (const [name, { sweeping: isSweeping, troubles }] of Object.entries(ROWS)) {
      const daemon = isSweeping ? sweeping : quiet
      const disturbances = await daemon.awake(() => Disturbances.prepare(bench, daemon, troubles))
      all.push(disturbances)
      const disturbed = () => disturbances.during(milliseconds, () => verify(daemon))
      contenders.push({ name, burst: () => daemon.awake(disturbed) })
    }
    const rounds = await Rounds.run(contenders, { ...bench.rounds(6), warmUps: 1 })
    await sweeping.refuseIfSwept()
    for (const disturbances of all) disturbances.refuseIfIdle()
    return rowsOf(rounds)
  },
}
export default figure

function rowsOf(rounds: Rounds): Row[] {
  const names = [AGAIN, ...NAMES]
  const ratios = (['p99', 'p50'] as const).flatMap((quantity) =>
    names.map((name): Row => {
      const value = rounds.ratio(name, QUIET, quantity)
      return { name: `${name}: ${quantity}`, unit: 'ratio', value }
    }),
  )
  const absolute = [QUIET, ...NAMES].flatMap((name): Row[] =>
    (['p50', 'p99'] as const).map((quantity) => {
      return { name: `${name}: ${quantity}, absolute`, unit: 'ms', value: rounds.spread(name, quantity) }
    }),
  )
  return [...ratios, ...absolute]
}
