import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Scope } from '../support/daemon.ts'
import type { Effort, Target } from './attacks/attack.ts'

const PROGRAM = fileURLToPath(new URL('attacker-process.ts', import.meta.url))

export type Order = { readonly begin: string; readonly target: Target } | { readonly end: true }

/** Undefined: it stands. */
export type Report = { readonly effort?: Effort & { readonly seconds: number }; readonly error?: string }

/** Who attacks, in a process of their own: one that is busy attacking answers nobody else. */
export class Attacker {
  readonly #child: ChildProcess
  readonly #target: Target
  readonly #ended: Promise<never>

  private constructor(child: ChildProcess, target: Target) {
    this.#child = child
    this.#target = target
    this.#ended = once(child, 'exit').then(() => Promise.reject(new Error('the attacker has ended')))
    this.#ended.catch(() => {})
  }

  static start(scope: Scope, target: Target): Attacker {
    const child = fork(PROGRAM, { execArgv: ['--import', 'tsx'], serialization: 'advanced' })
    scope.after(() => child.kill('SIGKILL'))
    return new Attacker(child, target)
  }

  /** Resolves when the attack stands. */
  async begin(name: string): Promise<void> {
    await this.#order({ begin: name, target: this.#target })
  }

  /** Resolves when the attacker has let go; to what was done, and the processor time it took. */
  async end(): Promise<Effort & { readonly seconds: number }> {
    const { effort } = await this.#order({ end: true })
    if (effort === undefined) throw new Error('the attacker does not tell what was done')
    return effort
  }

  async #order(order: Order): Promise<Report> {
    this.#child.send(order)
    const told = new Promise<Report>((resolve) => this.#child.once('message', resolve))
    const report = await Promise.race([told, this.#ended])
    if (report.error !== undefined) throw new Error(report.error)
    return report
  }
}
