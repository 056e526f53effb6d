import type { Logger } from 'pino'

/** Chores run one after the other; none waits for its turn twice. One that fails is reported, and done again when its time comes. */
export class ChoreQueue {
  readonly #log: Logger
  #running: Promise<unknown> = Promise.resolve()

  constructor(log: Logger) {
    this.#log = log
  }

  /** `mayRun` is asked when it is its turn to be put in. Returns how to do that. */
  chore(name: string, work: () => Promise<unknown>, mayRun: () => boolean = () => true): () => void {
    const report = (err: unknown) => this.#log.error({ err, chore: name }, 'a chore failed')
    let waits = false
    const run = () => {
      waits = false
      return work()
    }
    return () => {
      if (waits || !mayRun()) return
      waits = true
      this.#running = this.#running.then(run).catch(report)
    }
  }

  /** Resolves when all that was put in is done. */
  async settle(): Promise<void> {
    await this.#running
  }
}
