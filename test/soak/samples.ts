import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { Daemon } from '../support/daemon.ts'
import { percentile } from '../support/order.ts'
import { sizeOf, type Vitals, vitalsOf } from '../support/vitals.ts'

/** One interval of a run. Times in milliseconds. */
export interface Sample extends Vitals {
  /** Bytes of the state directory. */
  readonly state: number
  readonly p50: number
  readonly p99: number
  /** The median of a bare server on the same machine at the same time: the neighbours are in both. */
  readonly bare: number
}

/** Between two probes of latency, in milliseconds. */
const PROBE_EVERY_MS = 15
const BODY = '{"jsonrpc":"2.0","id":1,"method":"Auth.WhoAmI"}'

/** Samples a daemon once an interval, with a probe of its latency and of a bare server's in turn. */
export async function sample(
  daemon: Daemon,
  admin: string,
  bare: string,
  { intervals, intervalMs }: { intervals: number; intervalMs: number },
): Promise<Sample[]> {
  const own = new Probe(daemon.socket, admin)
  const other = new Probe(bare, admin)
  const samples: Sample[] = []
  for (let n = 0; n < intervals; n++) {
    const end = performance.now() + intervalMs
    const times = { own: [] as number[], bare: [] as number[] }
    while (performance.now() < end) {
      times.own.push(await own.measure())
      times.bare.push(await other.measure())
      await pause(PROBE_EVERY_MS)
    }
    samples.push({
      ...vitalsOf(daemon.pid),
      state: sizeOf(daemon.stateDir),
      p50: percentile(times.own, 50),
      p99: percentile(times.own, 99),
      bare: percentile(times.bare, 50),
    })
  }
  own.close()
  other.close()
  return samples
}

/** One call at a time over one connection. */
class Probe {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #where: object

  constructor(socketPath: string, token: string) {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
    this.#where = { socketPath, path: '/api/', method: 'POST', headers, agent: this.#agent }
  }

  async measure(): Promise<number> {
    const began = performance.now()
    const req = request(this.#where)
    req.end(BODY)
    const [res] = await once(req, 'response')
    res.resume()
    await once(res, 'end')
    if (res.statusCode !== 200) throw new Error(`a probe is answered ${res.statusCode}`)
    return performance.now() - began
  }

  close(): void {
    this.#agent.destroy()
  }
}
