import { median } from '../support/order.ts'
import { MiB } from '../support/vitals.ts'
import type { Sample } from './samples.ts'

/** How much more the last quarter of a run may be than an earlier one: a share of that, and a remainder for what is small. */
export interface Allowance {
  readonly share: number
  readonly remainder: number
}

export interface Allowances {
  /** Against the third quarter. V8 grows its heap in steps as it likes; what leaks does so in every quarter. */
  readonly memory: Allowance
  readonly sockets: Allowance
  /** LevelDB opens and closes tables. */
  readonly descriptors: Allowance
  /** Tables wait for their compaction. */
  readonly state: Allowance
  /** Of latency as a multiple of a bare server's, against the second quarter; undefined: it is shown alone. */
  readonly latency: Allowance | undefined
}

export const ALLOWANCES: Allowances = {
  memory: { share: 0.1, remainder: 8 * MiB },
  sockets: { share: 0.1, remainder: 6 },
  descriptors: { share: 0.1, remainder: 16 },
  state: { share: 0.25, remainder: 8 * MiB },
  latency: { share: 0.5, remainder: 0.5 },
}

/** The median of each quarter of a run. */
export function quarters(samples: readonly Sample[], of: (sample: Sample) => number): number[] {
  const length = samples.length / 4
  return [0, 1, 2, 3].map((n) =>
    median(samples.slice(Math.round(n * length), Math.round((n + 1) * length)).map(of)),
  )
}

/** Which rules a run has broken, in words. */
export function broken(samples: readonly Sample[], allowances: Allowances): string[] {
  const { latency } = allowances
  const rules = [
    ['memory', 2, ({ memory }: Sample) => memory, allowances.memory],
    ['sockets', 2, ({ sockets }: Sample) => sockets, allowances.sockets],
    ['descriptors', 2, ({ descriptors }: Sample) => descriptors, allowances.descriptors],
    ['the state directory', 2, ({ state }: Sample) => state, allowances.state],
    ...(latency ? [['latency', 1, ({ p50, bare }: Sample) => p50 / bare, latency] as const] : []),
  ] as const
  return rules.flatMap(([what, earlier, of, { share, remainder }]) => {
    const all = quarters(samples, of)
    const [before, last] = [all[earlier] as number, all[3] as number]
    const most = before * (1 + share) + remainder
    // Not the other way round: nothing is below NaN.
    return last <= most
      ? []
      : [`${what} does not level out: ${round(before)}, and then ${round(last)} (at most ${round(most)})`]
  })
}

function round(value: number): string {
  return value >= MiB ? `${(value / MiB).toFixed(1)} MiB` : value.toFixed(2)
}
