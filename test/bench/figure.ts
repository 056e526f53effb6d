import type { Scope } from '../support/daemon.ts'
import { Load, type Measured } from './load/load.ts'
import type { LanePlan } from './load/plan.ts'
import type { Contender, Extent, Sample, Spread } from './paired.ts'
import { processorTime } from './processor.ts'

/** What a value has to be. */
export type Target = { readonly atLeast: number } | { readonly atMost: number }

/** `ratio`: to somebody else of the same round. The others move with the machine. */
export type Unit = 'ratio' | 'calls/s' | 'ms' | 'µs' | 'MB' | 'calls'

/** One line of the report. */
export type Row = Measurement | Omission

export interface Measurement {
  readonly name: string
  readonly unit: Unit
  readonly value: Spread
}

/** What was not measured, and why: a form too short for it, a program that is not there. */
export interface Omission {
  readonly name: string
  readonly omitted: string
}

/** How thorough a run is: a second each (for a test of the benchmark itself), a minute in all, five, as long as it takes. */
export const FORMS = ['smallest', 'quick', 'full', 'long'] as const
export type Form = (typeof FORMS)[number]

/** In bursts of so many milliseconds. */
const WARMING_MS = 250

interface Scale {
  readonly rounds: number
  readonly leastRounds: number
  readonly warmUp: number
  readonly burst: number
  readonly tokens: number
}

const SCALES: Readonly<Record<Form, Scale>> = {
  smallest: { rounds: 0, leastRounds: 2, warmUp: 0.002, burst: 0.2, tokens: 0.01 },
  quick: { rounds: 0.2, leastRounds: 3, warmUp: 0.2, burst: 0.5, tokens: 0.3 },
  full: { rounds: 0.6, leastRounds: 5, warmUp: 1, burst: 1, tokens: 1 },
  long: { rounds: 2, leastRounds: 5, warmUp: 1, burst: 1, tokens: 1 },
}

/** What a figure is measured with. Everything that it starts ends with its scope. */
export class Bench {
  readonly scope: Scope
  readonly form: Form
  readonly say: (line: string) => void
  readonly load: Load

  constructor(scope: Scope, form: Form, say: (line: string) => void = () => {}) {
    this.scope = scope
    this.form = form
    this.say = say
    this.load = Load.start(scope)
  }

  get isLong(): boolean {
    return this.form === 'long'
  }

  /** Whether there is time for what takes many seconds. */
  get isThorough(): boolean {
    return this.form === 'full' || this.form === 'long'
  }

  /** How many of so many rounds. */
  rounds(many: number): Extent {
    const { rounds, leastRounds } = this.#scale
    return { rounds: Math.max(leastRounds, Math.round(many * rounds)) }
  }

  tokens(full: number): number {
    return Math.round(full * this.#scale.tokens)
  }

  milliseconds(full: number): number {
    return full * this.#scale.burst
  }

  /**
   * Lets a server answer so many calls before the first that is measured: until then compilers and caches are cold, and
   * a daemon that has just started would be measured, not one that runs.
   */
  warm(plan: LanePlan, calls: number): Promise<void> {
    return this.serve(plan, calls * this.#scale.warmUp)
  }

  /** Lets a server answer at least so many calls, in every form. */
  async serve(plan: LanePlan, calls: number): Promise<void> {
    const lane = await this.load.lane(plan)
    for (let served = 0; served < calls; ) served += (await lane.burst(this.milliseconds(WARMING_MS))).calls
    await lane.close()
  }

  /** Connects to a server: whoever asks there as fast as they are answered, for so long at a time. `pid`: the server's. */
  async asking(name: string, plan: LanePlan, milliseconds: number, pid?: number): Promise<Contender> {
    const lane = await this.load.lane(plan)
    const ask = () => lane.burst(this.milliseconds(milliseconds))
    return { name, burst: pid === undefined ? ask : () => withProcessorTime(pid, ask) }
  }

  /** The same at a given rate, which may differ from round to round. */
  async pacing(name: string, plan: LanePlan, milliseconds: number, rate: () => number): Promise<Contender> {
    const lane = await this.load.lane(plan)
    return { name, burst: () => lane.paced(this.milliseconds(milliseconds), rate()) }
  }

  get #scale(): Scale {
    return SCALES[this.form]
  }
}

/** Adds the microseconds of processor time that a server has used for each call: busy neighbours hardly change it. */
async function withProcessorTime(pid: number, ask: () => Promise<Measured>): Promise<Sample> {
  const before = processorTime(pid)
  const measured = await ask()
  return { ...measured, processor: ((processorTime(pid) - before) * 1000) / measured.calls }
}

/** One figure of the benchmark: a file of its own in figures/. */
export interface Figure {
  readonly number: number
  readonly name: string
  /** By the name of the row. A row that is neither measured nor omitted makes the run fail. */
  readonly targets: Readonly<Record<string, Target>>
  run(bench: Bench): Promise<Row[]>
  /** Its rows as a drawing (SVG). */
  draw?(rows: readonly Row[]): string
}
