import type { FailureName } from '../protocol/failures.ts'

/** Upper ends of the histogram's buckets, in seconds. */
export const BUCKETS: readonly number[] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]

/** What calls of one method came to. */
export interface CallCounts {
  readonly outcomes: Map<'ok' | FailureName, number>
  /** Calls by the first bucket that holds them; the last one is for those beyond all. */
  readonly durations: number[]
  seconds: number
}

/** Stands for whatever a stranger calls that there is not: its names would be theirs to make up. */
const UNKNOWN = 'unknown'

/** Counts calls, by method and outcome, as cheaply as can be: this is on the path of every one. */
export class Telemetry {
  readonly #calls = new Map<string, CallCounts>()

  get calls(): ReadonlyMap<string, CallCounts> {
    return this.#calls
  }

  /** `started`: of performance.now(). */
  observe(method: string | undefined, what: 'ok' | FailureName, started: number): void {
    const counts = this.#countsOf(method ?? UNKNOWN)
    counts.outcomes.set(what, (counts.outcomes.get(what) ?? 0) + 1)
    const seconds = (performance.now() - started) / 1000
    let bucket = 0
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++
    counts.durations[bucket] = (counts.durations[bucket] as number) + 1
    counts.seconds += seconds
  }

  #countsOf(method: string): CallCounts {
    const known = this.#calls.get(method)
    if (known !== undefined) return known
    const counts = { outcomes: new Map(), durations: Array(BUCKETS.length + 1).fill(0), seconds: 0 }
    this.#calls.set(method, counts)
    return counts
  }
}

/** What several have counted, together. */
export function sumOf(all: readonly ReadonlyMap<string, CallCounts>[]): ReadonlyMap<string, CallCounts> {
  const [first = new Map<string, CallCounts>(), ...others] = all
  const sum = structuredClone(first) as Map<string, CallCounts>
  for (const other of others) for (const [method, counts] of other) add(sum, method, counts)
  return sum
}

function add(
  sum: Map<string, CallCounts>,
  method: string,
  { outcomes, durations, seconds }: CallCounts,
): void {
  const known = sum.get(method)
  if (known === undefined) {
    sum.set(method, structuredClone({ outcomes, durations, seconds }))
    return
  }
  for (const [what, count] of outcomes) known.outcomes.set(what, (known.outcomes.get(what) ?? 0) + count)
  for (const [at, count] of durations.entries()) known.durations[at] = (known.durations[at] as number) + count
  known.seconds += seconds
}
