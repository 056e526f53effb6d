import type { Clock } from '../store/clock.ts'
import type { Rate } from './limits.ts'

/** So many buckets at most. One that is full again is as good as none; when no such is left, newcomers are refused. */
const MOST = 100_000

interface Bucket {
  level: number
  at: number
  readonly rate: Rate
}

/** Token buckets by name: each call takes one, and they fill again with time. Bounded, and never open by being full (pitfall 26). */
export class Buckets {
  readonly #clock: Clock
  readonly #most: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock, most = MOST) {
    this.#clock = clock
    this.#most = most
  }

  /** Undefined: there was one to take. Else the seconds until there is one. */
  take(name: string, rate: Rate): number | undefined {
    const now = this.#clock.now()
    const bucket = this.#buckets.get(name)
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#most && !this.#makeRoom(now)) return 1
      this.#buckets.set(name, { level: rate.burst - 1, at: now, rate })
      return undefined
    }
    const level = levelAt(bucket, now)
    if (level < 1) return Math.max(1, Math.ceil((1 - level) / bucket.rate.perSecond))
    this.#buckets.set(name, { level: level - 1, at: now, rate })
    return undefined
  }

  #makeRoom(now: number): boolean {
    for (const [name, bucket] of this.#buckets)
      if (levelAt(bucket, now) >= bucket.rate.burst) this.#buckets.delete(name)
    return this.#buckets.size < this.#most
  }
}

function levelAt({ level, at, rate }: Bucket, now: number): number {
  return Math.min(rate.burst, level + ((now - at) / 1000) * rate.perSecond)
}
