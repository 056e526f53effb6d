import { MessageChannel, Worker } from 'node:worker_threads'
import { accessMemory } from '../auth/access-board.ts'
import type { Config } from '../config.ts'
import { duplicate } from '../linux/duplicate.ts'
import { netlinkMemory } from '../linux/loopback.ts'
import { MAIN } from '../package.ts'
import { Complaint } from '../protocol/complaint.ts'
import { Errands } from '../protocol/errands.ts'
import { mutexMemory } from '../protocol/mutex.ts'
import { countsMemory } from '../server/connection-counts.ts'
import type { SharedSocket } from '../server/doors.ts'
import type { CallCounts } from '../server/telemetry.ts'
import { monotonicOrigin } from '../store/clock.ts'
import { offsetMemory } from '../store/clock-offset.ts'
import type { StoreSharing } from '../store/sharing.ts'
import type { MainOffices, SharedMemory, ThreadOffices, ThreadStart } from './offices.ts'

export interface ThreadsParts {
  readonly config: Config
  readonly pepper: Buffer
  readonly sharing: StoreSharing
  readonly memory: SharedMemory
  readonly netlink: number | undefined
  readonly offices: MainOffices
}

export function sharedMemory(): SharedMemory {
  return {
    clock: offsetMemory(),
    clockOrigin: monotonicOrigin(),
    access: accessMemory(),
    personalAccess: accessMemory(),
    counts: countsMemory(),
    netlink: netlinkMemory(),
    names: mutexMemory(),
  }
}

/** The threads beside the main one. Each has a gatehouse of its own, on the same store and behind the same sockets. */
export class Threads {
  readonly #workers: Worker[] = []
  readonly #errands: Errands<ThreadOffices>[] = []
  #ending = false

  /** All that the configuration wants beside the main one. They serve nobody yet. */
  static async start(parts: ThreadsParts): Promise<Threads> {
    const threads = new Threads()
    try {
      const others = Array.from({ length: parts.config.listen.workers - 1 }, (_, at) => at + 1)
      await Promise.all(others.map((worker) => threads.#start(worker, parts)))
      return threads
    } catch (error) {
      await threads.#terminate()
      throw error
    }
  }

  async #start(
    worker: number,
    { config, pepper, sharing, memory, netlink, offices }: ThreadsParts,
  ): Promise<void> {
    const { port1, port2 } = new MessageChannel()
    const store = sharing.admit()
    const start: ThreadStart = { worker, config, pepper, store, offices: port2, memory, netlink }
    const thread = new Worker(MAIN, { workerData: start, transferList: [port2, store.port] })
    const errands = new Errands<ThreadOffices>(port1).serve(offices)
    this.#workers.push(thread)
    this.#errands.push(errands)
    const failed = new Promise<never>((_, reject) => thread.once('error', reject))
    await Promise.race([errands.ask('check'), failed])
    failed.catch(() => {}) // from now on it is told below
    // What is wrong in a thread is wrong in the process: it ends like one whose main thread has thrown.
    thread.on('error', (error) => {
      throw error
    })
    thread.on('exit', () => {
      if (!this.#ending) throw new Error(`the thread of worker ${worker} has ended`)
    })
  }

  /** Each on a descriptor of its own: closing one closes it for nobody else. */
  async listen(sockets: readonly SharedSocket[]): Promise<void> {
    await this.#askAll('listen', () => [sockets.map((socket) => ({ ...socket, fd: copyOf(socket.fd) }))])
  }

  /** `worker`: from 1 on. */
  async take(worker: number, at: number, fd: number): Promise<void> {
    await this.#errands[worker - 1]?.ask('take', at, fd)
  }

  async prepare(config: Config): Promise<void> {
    await this.#askAll('prepare', () => [config])
  }

  async apply(): Promise<void> {
    await this.#askAll('apply', () => [])
  }

  calls(): Promise<ReadonlyMap<string, CallCounts>[]> {
    return this.#askAll('calls', () => [])
  }

  async endedConnections(): Promise<number> {
    return (await this.#askAll('endedConnections', () => [])).reduce((sum, count) => sum + count, 0)
  }

  async check(): Promise<void> {
    await this.#askAll('check', () => [])
  }

  #askAll<K extends keyof ThreadOffices>(
    what: K,
    args: () => Parameters<ThreadOffices[K]>,
  ): Promise<Awaited<ReturnType<ThreadOffices[K]>>[]> {
    return Promise.all(this.#errands.map((errands) => errands.ask(what, ...args())))
  }

  /** They accept nobody any more, finish calls in flight, and write what is left. */
  async close(): Promise<void> {
    await this.#askAll('close', () => [])
    await this.#terminate()
  }

  async #terminate(): Promise<void> {
    this.#ending = true
    for (const errands of this.#errands) errands.close()
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}

function copyOf(fd: number): number {
  const copy = duplicate(fd)
  if (copy === undefined)
    throw new Complaint('threads cannot share the sockets: the C library cannot be called', 'set workers = 1')
  return copy
}
