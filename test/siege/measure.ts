import { setTimeout as pause } from 'node:timers/promises'
import { Rounds, type Sample } from '../bench/paired.ts'
import { memoryOf } from '../support/vitals.ts'
import type { Effort } from './attacks/attack.ts'
import type { Service } from './regulars.ts'
import { type Fortress, isFreed, withPeak } from './siege.ts'

export interface Extent {
  readonly rounds: number
  /** Of each burst: milliseconds. */
  readonly burstMs: number
  /** Calls per second that are due. */
  readonly rate: number
}

/** What an attack has come to. */
export interface Damage {
  readonly name: string
  /** Calls served in time, as a ratio to those in a quiet burst of the same round: the median. */
  readonly served: number
  /** The same of as many calls as can be made, one after the other on each connection. */
  readonly most: number
  /** Milliseconds, of the calls that were due: quiet, and under attack. */
  readonly quietP99: number
  readonly p99: number
  /** Bytes: before, the most that was seen, and afterwards. */
  readonly memory: readonly [before: number, peak: number, after: number]
  /** Answers that were not what they should be, or connections of regulars that were closed. */
  readonly wrong: readonly string[]
  readonly freed: boolean
  /** Milliseconds from the end of an attack until everybody is served again: the most that was seen. */
  readonly recovery: number
  /** Of one burst. */
  readonly effort: Effort & { readonly seconds: number }
}

/** Until an attack has its effect, in milliseconds. */
const SETTLE_MS = 150
/** Beyond that nobody waits for a call. */
const PATIENCE_MS = 1_000
const FREED_MS = 12_000

/** Quiet bursts and bursts under attack in alternation: the neighbours are in both. */
export async function measure(fortress: Fortress, name: string, extent: Extent): Promise<Damage> {
  const { pid, attacker } = fortress
  const before = memoryOf(pid)
  const wrong: string[] = []
  let effort = { connections: 0, bytes: 0, seconds: 0 }
  let freed = true
  let recovery = 0
  const quiet = { name: 'quiet', burst: () => burst(fortress, extent, wrong) }
  const attacked = {
    name,
    async burst() {
      await attacker.begin(name)
      await pause(SETTLE_MS)
      const sample = await burst(fortress, extent, wrong)
      effort = await attacker.end()
      recovery = Math.max(recovery, await recover(fortress))
      freed &&= await isFreed(fortress, FREED_MS)
      return sample
    },
  }
  const { rounds } = extent
  const [all, peak] = await withPeak(pid, () => Rounds.run([quiet, attacked], { rounds, warmUps: 0 }))
  return {
    name,
    served: all.ratio(name, 'quiet', 'inTime').median,
    most: all.ratio(name, 'quiet', 'most').median,
    quietP99: all.spread('quiet', 'p99').median,
    p99: all.spread(name, 'p99').median,
    memory: [before, peak, memoryOf(pid)],
    wrong,
    freed,
    recovery,
    effort,
  }
}

/** The regulars come back, all of them, whatever had become of their connections. */
async function recover({ regulars }: Fortress): Promise<number> {
  const begun = performance.now()
  await regulars.closed(1, FREED_MS)
  return performance.now() - begun
}

async function burst({ regulars }: Fortress, { burstMs, rate }: Extent, wrong: string[]): Promise<Sample> {
  const paced = await regulars.paced(burstMs, rate, PATIENCE_MS)
  const closed = await regulars.closed(burstMs / 2, PATIENCE_MS)
  wrong.push(...paced.wrong, ...closed.wrong)
  return { inTime: inTime(paced), p99: paced.p99, most: closed.rate }
}

const inTime = ({ inTime: count, calls }: Service) => count / calls
