import type { Maybe } from '../protocol/maybe.ts'
import type { Rate } from './limits.ts'

/** So many buckets at most. One that is full again is as good as none; when no such is left, newcomers are refused. */
const MOST = 100_000
/** Looking for full ones goes over all of them: not more often than that, or it would itself be the lever. */
const ROOM_EVERY_MS = 1_000

interface Bucket {
  level: number
  at: number
  readonly rate: Rate
}

/** Who keeps buckets: this thread, or another one that is asked. */
export interface RateKeeper {
  take(name: string, rate: Rate): Maybe<number | undefined>
  wait(name: string, rate: Rate): Maybe<number | undefined>
}

/** Token buckets by name: each call takes one, and they fill again with time. Bounded, and never open by being full (pitfall 26). */
export class Buckets implements RateKeeper {
  readonly #now: () => number
  readonly #most: number
  readonly #buckets = new Map<string, Bucket>()
  #madeRoom = Number.NEGATIVE_INFINITY

  /** `now`: milliseconds that only rise. */
  constructor(now: () => number = () => performance.now(), most = MOST) {
    this.#now = now
    this.#most = most
  }

  /** Undefined: there was one to take. Else the seconds until there is one. A new rate holds from the next call on. */
  take(name: string, rate: Rate): number | undefined {
    const now = this.#now()
    const bucket = this.#buckets.get(name)
    if (bucket === undefined && this.#buckets.size >= this.#most && !this.#makeRoom(now)) return 1
    const level = bucket === undefined ? rate.burst : levelAt(bucket, rate, now)
    if (level < 1) return secondsUntilOne(level, rate)
    this.#buckets.set(name, { level: level - 1, at: now, rate })
    return undefined
  }

  /** The seconds until there is one to take; undefined: there is one. Takes none. */
  wait(name: string, rate: Rate): number | undefined {
    const bucket = this.#buckets.get(name)
    const level = bucket === undefined ? rate.burst : levelAt(bucket, rate, this.#now())
    return level < 1 ? secondsUntilOne(level, rate) : undefined
  }

  #makeRoom(now: number): boolean {
    if (now - this.#madeRoom < ROOM_EVERY_MS) return false
    this.#madeRoom = now
    for (const [name, bucket] of this.#buckets) {
      if (levelAt(bucket, bucket.rate, now) >= bucket.rate.burst) this.#buckets.delete(name)
    }
    return this.#buckets.size < this.#most
  }
}

function levelAt({ level, at }: Bucket, { burst, perSecond }: Rate, now: number): number {
  return Math.min(burst, level + ((now - at) / 1000) * perSecond)
}

function secondsUntilOne(level: number, { perSecond }: Rate): number {
  return Math.max(1, Math.ceil((1 - level) / perSecond))
}
