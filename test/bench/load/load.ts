import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Scope } from '../../support/daemon.ts'
import { Histogram } from './histogram.ts'
import type { Burst, LanePlan, Order, Report } from './plan.ts'

const PROGRAM = fileURLToPath(new URL('process.ts', import.meta.url))

/** A burst with what follows from it. */
export type Measured = {
  readonly calls: number
  /** Calls per second. */
  readonly rate: number
  readonly busy: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

/** Connections of the load's process to one server. */
export interface Lane {
  /** Asks as fast as it is answered. Rejects when an answer is not what was expected. */
  burst(milliseconds: number): Promise<Measured>
  /** Asks so many times per second. */
  paced(milliseconds: number, rate: number): Promise<Measured>
  close(): Promise<void>
}

/** The load, made in a process of its own: who is measured and who measures do not wait for each other's turn. */
export class Load {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (report: Report) => void>()
  #orders = 0
  #lanes = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (report: Report) => {
      this.#waiting.get(report.number)?.(report)
      this.#waiting.delete(report.number)
    })
    child.on('exit', () => {
      for (const [number, tell] of this.#waiting) tell({ number, error: 'the process of the load has ended' })
    })
  }

  static start(scope: Scope): Load {
    const child = fork(PROGRAM, { execArgv: ['--import', 'tsx'] })
    scope.after(() => child.kill('SIGKILL'))
    return new Load(child)
  }

  async lane(plan: LanePlan): Promise<Lane> {
    const lane = ++this.#lanes
    await this.#order({ kind: 'open', lane, plan })
    return {
      burst: async (milliseconds) => measured(await this.#order({ kind: 'burst', lane, milliseconds })),
      paced: async (milliseconds, rate) =>
        measured(await this.#order({ kind: 'paced', lane, milliseconds, rate })),
      close: async () => void (await this.#order({ kind: 'close', lane })),
    }
  }

  async #order(order: Order): Promise<Burst | undefined> {
    const number = ++this.#orders
    const { burst, error } = await new Promise<Report>((resolve) => {
      this.#waiting.set(number, resolve)
      this.#child.send({ number, order })
    })
    if (error !== undefined) throw new Error(error)
    return burst
  }
}

function measured(burst: Burst | undefined): Measured {
  if (burst === undefined) throw new Error('the load tells of no burst')
  const { calls, milliseconds, busy } = burst
  const latency = Histogram.from(burst.latency)
  return {
    calls,
    rate: (calls / milliseconds) * 1000,
    busy,
    p50: latency.quantile(0.5),
    p99: latency.quantile(0.99),
    p999: latency.quantile(0.999),
  }
}
