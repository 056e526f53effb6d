import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { call } from '../../support/talk.ts'
import type { Bench } from '../figure.ts'
import type { LanePlan } from '../load/plan.ts'
import type { Verifying } from './verifying.ts'

export type Trouble = 'mints' | 'backup' | 'compactions'

const MINTS_PER_SECOND = 1_000
const CALLERS = 32
/** So much is written by them that LevelDB, which keeps 4 MiB in memory, has to compact several times a second. */
const LARGE_MINTS_PER_SECOND = 200
const DESCRIPTION_BYTES = 30_000

/** Does something for so long, and tells how often it was done. */
type Work = (milliseconds: number) => Promise<number>

/** What a daemon has to do beside answering. */
export class Disturbances {
  readonly #name: string
  readonly #works: readonly Work[]
  #least = Number.POSITIVE_INFINITY
  /** How often LevelDB has begun a compaction; undefined where that is no matter. */
  readonly #compactions: (() => number) | undefined
  readonly #compactionsBefore: number

  private constructor(name: string, works: readonly Work[], compactions: (() => number) | undefined) {
    this.#name = name
    this.#works = works
    this.#compactions = compactions
    this.#compactionsBefore = compactions?.() ?? 0
  }

  static async prepare(
    bench: Bench,
    verifying: Verifying,
    troubles: readonly Trouble[],
  ): Promise<Disturbances> {
    const works: Work[] = []
    for (const trouble of troubles) works.push(await TROUBLES[trouble](bench, verifying))
    const log = join(verifying.daemon.stateDir, 'db/LOG')
    const compactions = () => readFileSync(log, 'latin1').split('Compacting ').length - 1
    return new Disturbances(
      troubles.join(', '),
      works,
      troubles.includes('compactions') ? compactions : undefined,
    )
  }

  /** Does what there is to do as long as somebody measures. */
  async during<T>(milliseconds: number, measure: () => Promise<T>): Promise<T> {
    const [measured, ...done] = await Promise.all([
      measure(),
      ...this.#works.map((work) => work(milliseconds)),
    ])
    this.#least = Math.min(this.#least, ...done)
    return measured
  }

  /** Throws when a disturbance was none. */
  refuseIfIdle(): void {
    if (this.#works.length > 0 && !(this.#least > 0)) throw new Error(`${this.#name}: nothing was done`)
    if (this.#compactions !== undefined && this.#compactions() <= this.#compactionsBefore)
      throw new Error(`${this.#name}: LevelDB has compacted nothing`)
  }
}

const TROUBLES: Readonly<Record<Trouble, (bench: Bench, verifying: Verifying) => Promise<Work>>> = {
  mints: (bench, verifying) => minting(bench, verifying, { ttl: 3600 }, MINTS_PER_SECOND),
  compactions: (bench, verifying) => {
    const description = randomBytes((DESCRIPTION_BYTES * 3) / 4).toString('base64')
    return minting(bench, verifying, { ttl: 3600, description }, LARGE_MINTS_PER_SECOND)
  },
  backup: async (_bench, verifying) => (milliseconds) => backUp(verifying, milliseconds),
}

async function minting({ load }: Bench, { daemon }: Verifying, params: object, rate: number): Promise<Work> {
  const body = JSON.stringify({ jsonrpc: '2.0', method: 'Auth.CreateApiToken', params, id: 1 })
  const plan: LanePlan = {
    place: { socket: daemon.socket },
    connections: CALLERS,
    request: { protocol: 'http', body },
  }
  const lane = await load.lane(plan)
  return async (milliseconds) => (await lane.paced(milliseconds, rate)).calls
}

/** Reads page after page, and begins anew at the end. Returns how many pages there were. */
async function backUp({ daemon, token }: Verifying, milliseconds: number): Promise<number> {
  const ask = async (method: string, params: object) => {
    const { json } = await call(daemon, method, params, { token })
    if (json.error !== undefined) throw new Error(JSON.stringify(json.error))
    return json.result as { backup: string; next: string | null }
  }
  const end = performance.now() + milliseconds
  let pages = 0
  while (performance.now() < end) {
    const { backup } = await ask('backup.begin', {})
    let from: string | null = ''
    do {
      from = (await ask('backup.read', { backup, from })).next
      pages++
    } while (from !== null && performance.now() < end)
    await ask('backup.end', { backup })
  }
  return pages
}
