import type { Daemon, Scope } from './daemon.ts'
import { conversation, type Lines } from './lives.ts'

/** How many connections each worker has open: asked on a connection of its own, which is one of them. */
export class Census {
  readonly #lines: Lines
  readonly #token: string
  #counts: readonly number[] = []

  private constructor(lines: Lines, token: string) {
    this.#lines = lines
    this.#token = token
  }

  static async begin(t: Scope, daemon: Daemon, token: string): Promise<Census> {
    const census = new Census(conversation(t, daemon), token)
    await census.take()
    return census
  }

  async take(): Promise<readonly number[]> {
    const answer = await this.#lines.call('system.metrics', { Token: this.#token })
    const rows = String(answer?.result).matchAll(/^postern_worker_connections\{worker="\d+"\} (\d+)$/gm)
    this.#counts = [...rows].map(([, count]) => Number(count))
    return this.#counts
  }

  /** The worker that has more connections than a moment ago. */
  async newcomer(): Promise<number> {
    const before = this.#counts
    return (await this.take()).findIndex((count, worker) => count > (before[worker] ?? 0))
  }
}

/** So many connections are tried: whoever is awake takes most of them, but not all. */
const MOST_TRIED = 500

/** Opens connections one by one until every worker has so many of them, and gives them by worker. */
export async function onEachWorker<T>(census: Census, count: number, open: () => Promise<T>): Promise<T[][]> {
  const opened: T[][] = (await census.take()).map(() => [])
  for (let tried = 0; opened.some((ones) => ones.length < count); tried++) {
    if (tried > MOST_TRIED)
      throw new Error(`the workers have ${opened.map((ones) => ones.length)} connections`)
    const one = await open()
    opened[await census.newcomer()]?.push(one)
  }
  return opened
}

/** An open conversation that was accepted: it has been answered. */
export async function accepted(t: Scope, daemon: Daemon): Promise<Lines> {
  const lines = conversation(t, daemon)
  await lines.call('none')
  return lines
}
