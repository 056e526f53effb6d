import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Scope } from '../support/daemon.ts'

const PROGRAM = fileURLToPath(new URL('regulars-process.ts', import.meta.url))

/** Where the regulars call, and as whom. */
export interface Table {
  readonly socket: string
  readonly port: number
  readonly token: string
  /** What a right answer has in it. */
  readonly wanted: string
}

export type Wish =
  | { readonly kind: 'open'; readonly table: Table }
  /** So many calls per second, evenly, whether or not there are answers. */
  | { readonly kind: 'paced'; readonly ms: number; readonly rate: number; readonly patienceMs: number }
  /** Whoever is answered asks again. */
  | { readonly kind: 'closed'; readonly ms: number; readonly patienceMs: number }

/** How a while was for the regulars. */
export interface Service {
  /** Calls that were due. */
  readonly calls: number
  /** Of them, those that were answered as they should be. */
  readonly answered: number
  /** Likewise, and within the time that is called in time. */
  readonly inTime: number
  /** Answers that were something else. */
  readonly wrong: readonly string[]
  /** Right answers per second. */
  readonly rate: number
  /** Milliseconds from the moment at which a call was due; those that were not answered are as late as was waited. */
  readonly p50: number
  readonly p99: number
}

/** How many there are: half of them over TCP, half over the Unix socket. */
export const REGULARS = 8

/** Longer than that, and whoever waits behind a proxy notices. */
export const IN_TIME_MS = 250

/** Well-behaved callers, in a process of their own: what keeps the one who watches busy does not keep them. */
export class Regulars {
  readonly #child: ChildProcess
  readonly #ended: Promise<never>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'exit').then(() => Promise.reject(new Error('the regulars have ended')))
    this.#ended.catch(() => {})
  }

  static async start(scope: Scope, table: Table): Promise<Regulars> {
    const child = fork(PROGRAM, { execArgv: ['--import', 'tsx'] })
    scope.after(() => child.kill('SIGKILL'))
    const regulars = new Regulars(child)
    await regulars.#ask({ kind: 'open', table })
    return regulars
  }

  paced(ms: number, rate: number, patienceMs: number): Promise<Service> {
    return this.#ask({ kind: 'paced', ms, rate, patienceMs })
  }

  closed(ms: number, patienceMs: number): Promise<Service> {
    return this.#ask({ kind: 'closed', ms, patienceMs })
  }

  async #ask(wish: Wish): Promise<Service> {
    this.#child.send(wish)
    const told = new Promise<Service>((resolve) => this.#child.once('message', resolve))
    return Promise.race([told, this.#ended])
  }
}
