/** Each bucket is so much wider than the one before. */
const GROWTH = 1.02
const SCALE = 1 / Math.log(GROWTH)
const SMALLEST_MS = 0.001

/** As it travels between processes: the number of values in each bucket that has any. */
export type Buckets = readonly (readonly [bucket: number, count: number])[]

/** How long things took, to two per cent. */
export class Histogram {
  readonly #counts: number[] = []
  #total = 0

  static from(buckets: Buckets): Histogram {
    const histogram = new Histogram()
    histogram.add(buckets)
    return histogram
  }

  record(milliseconds: number): void {
    const bucket = Math.max(0, Math.round(Math.log(milliseconds / SMALLEST_MS) * SCALE))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#total++
  }

  add(buckets: Buckets): void {
    for (const [bucket, count] of buckets) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count
      this.#total += count
    }
  }

  get total(): number {
    return this.#total
  }

  /** Milliseconds below which a share of the values lies. NaN where there are none. */
  quantile(share: number): number {
    let below = 0
    const wanted = share * this.#total
    for (const [bucket, count] of this.buckets()) {
      below += count
      if (below >= wanted) return SMALLEST_MS * GROWTH ** bucket
    }
    return Number.NaN
  }

  buckets(): Buckets {
    return this.#counts.flatMap((count, bucket) => (count > 0 ? [[bucket, count] as const] : []))
  }
}
