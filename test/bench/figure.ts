import type { Scope } from '../support/daemon.ts'
import { Load } from './load/load.ts'
import type { Spread } from './paired.ts'

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

const ROUNDS: Readonly<Record<Form, number>> = { smallest: 0.05, quick: 0.2, full: 1, long: 2 }
const TOKENS: Readonly<Record<Form, number>> = { smallest: 0.01, quick: 1, full: 1, long: 1 }

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

  /** How many of so many rounds of the full form. */
  rounds(full: number): { rounds: number; warmUps: number } {
    const rounds = Math.max(this.form === 'smallest' ? 2 : 5, Math.round(full * ROUNDS[this.form]))
    return { rounds, warmUps: this.form === 'smallest' ? 1 : 12 }
  }

  tokens(full: number): number {
    return Math.round(full * TOKENS[this.form])
  }

  milliseconds(full: number): number {
    return this.form === 'smallest' ? full / 4 : full
  }
}

/** One figure of the benchmark: a file of its own in figures/. */
export interface Figure {
  readonly number: number
  readonly name: string
  /** By the name of the row. A row that is neither measured nor omitted makes the run fail. */
  readonly targets: Readonly<Record<string, Target>>
  run(bench: Bench): Promise<Row[]>
}
