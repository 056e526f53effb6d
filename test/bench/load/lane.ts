import { Connection, type Listener } from './connection.ts'
import { Histogram } from './histogram.ts'
import type { Burst, LanePlan } from './plan.ts'
import type { Ring } from './ring.ts'

/** An answer that takes so long does not come, in milliseconds. */
const PATIENCE_MS = 30_000

/** Connections to one server that are kept between bursts, and the requests that go over them in rotation. */
export class Lane {
  readonly #plan: LanePlan
  readonly #ring: Ring
  readonly #pipeline: number
  #connections: Connection[] = []
  #next = 0

  constructor(plan: LanePlan, ring: Ring) {
    this.#plan = plan
    this.#ring = ring
    this.#pipeline = plan.pipeline ?? 1
  }

  /** Connects as many as are missing. */
  async open(): Promise<void> {
    this.#connections = this.#connections.filter(({ usable }) => usable)
    while (this.#connections.length < this.#plan.connections)
      this.#connections.push(await Connection.open(this.#plan))
  }

  close(): void {
    for (const connection of this.#connections.splice(0)) connection.close()
  }

  /** A closed loop: whoever is answered asks the next at once, for so long; then what is under way is waited for. */
  burst(milliseconds: number): Promise<Burst> {
    return this.#measure((run) => {
      const end = performance.now() + milliseconds
      for (const connection of this.#connections)
        this.#ask(run, connection, this.#pipeline, performance.now())
      run.onAnswer = (connection, count, now) => {
        if (now < end) this.#ask(run, connection, count, now)
        else if (run.underWay === 0) run.finish()
      }
    })
  }

  /**
   * An open loop: so many requests per second, evenly, whether or not there are answers. Latencies count from the moment
   * at which a request was due, so that somebody who stalls does not hide it by having fewer questions to answer.
   */
  paced(milliseconds: number, rate: number): Promise<Burst> {
    return this.#measure((run) => {
      const free = [...this.#connections]
      const begun = performance.now()
      const total = Math.round((milliseconds / 1000) * rate)
      let sent = 0
      const sendWhatIsDue = () => {
        const now = performance.now()
        for (; free.length > 0 && sent < total; sent++) {
          const due = begun + (sent / rate) * 1000
          if (due > now) break
          this.#ask(run, free.shift() as Connection, 1, due)
        }
      }
      const tick = () => {
        sendWhatIsDue()
        // Not a timer: those come a millisecond late, which is longer than an answer takes.
        if (!run.over && sent < total) setImmediate(tick)
      }
      run.onAnswer = (connection) => {
        free.push(connection)
        sendWhatIsDue()
        if (sent === total && run.underWay === 0) run.finish()
      }
      tick()
    })
  }

  #ask(run: Run, connection: Connection, count: number, due: number): void {
    if (this.#next + count > this.#ring.length) this.#next = 0
    run.underWay += count
    connection.send(this.#ring.slice(this.#next, count), count, due)
    this.#next += count
  }

  async #measure(begin: (run: Run) => void): Promise<Burst> {
    await this.open()
    const run = new Run()
    for (const connection of this.#connections) connection.listener = run
    const timer = setTimeout(() => run.failed(new Error('no answer came for a long time')), PATIENCE_MS)
    try {
      begin(run)
      const { answers, ...rest } = await run.ended
      return { ...rest, calls: answers * (this.#plan.calls ?? 1) }
    } catch (error) {
      this.close()
      throw error
    } finally {
      clearTimeout(timer)
      for (const connection of this.#connections) connection.listener = undefined
    }
  }
}

type Outcome = Omit<Burst, 'calls'> & { readonly answers: number }

/** A burst while it lasts. */
class Run implements Listener {
  underWay = 0
  over = false
  onAnswer: (connection: Connection, count: number, now: number) => void = () => {}
  readonly ended: Promise<Outcome>
  readonly #latency = new Histogram()
  readonly #begun = performance.now()
  readonly #cpu = process.cpuUsage()
  #resolve: (outcome: Outcome) => void = () => {}
  #reject: (error: Error) => void = () => {}

  constructor() {
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  answered(connection: Connection, due: readonly number[]): void {
    const now = performance.now()
    for (const moment of due) this.#latency.record(now - moment)
    this.underWay -= due.length
    this.onAnswer(connection, due.length, now)
  }

  failed(error: Error): void {
    this.over = true
    this.#reject(error)
  }

  finish(): void {
    this.over = true
    const milliseconds = performance.now() - this.#begun
    const { user, system } = process.cpuUsage(this.#cpu)
    this.#resolve({
      answers: this.#latency.total,
      milliseconds,
      busy: (user + system) / 1000 / milliseconds,
      latency: this.#latency.buckets(),
    })
  }
}
