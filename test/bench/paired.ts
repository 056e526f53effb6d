/** What one burst has shown, by the name of the quantity: calls per second, milliseconds. */
export type Sample = Readonly<Record<string, number>>

/** Somebody who is measured: the daemon, a baseline, or the same baseline once more as a control. */
export interface Contender {
  readonly name: string
  burst(): Promise<Sample>
}

/** The middle of many measurements, and where half of them lie. */
export interface Spread {
  readonly median: number
  readonly lower: number
  readonly upper: number
}

export interface Extent {
  readonly rounds: number
  /** Rounds before the first that counts: compilers and caches are cold. */
  readonly warmUps?: number
  /** Runs before each round. */
  readonly before?: () => Promise<void>
}

/**
 * Short bursts in alternation. A busy machine changes from second to second what anybody reaches, but within a round it
 * is nearly the same for all: so what is told is the ratio to somebody else of the same round, and the median over rounds.
 * The order is drawn anew for each round, so that nobody always comes after the same neighbour.
 */
export class Rounds {
  readonly #samples = new Map<string, Sample[]>()

  private constructor(contenders: readonly Contender[]) {
    for (const { name } of contenders) this.#samples.set(name, [])
    if (this.#samples.size < contenders.length) throw new Error('two contenders have the same name')
  }

  static async run(
    contenders: readonly Contender[],
    { rounds, warmUps = 2, before }: Extent,
  ): Promise<Rounds> {
    const all = new Rounds(contenders)
    for (let round = -warmUps; round < rounds; round++) {
      await before?.()
      for (const contender of shuffled(contenders)) {
        const sample = await contender.burst()
        if (round >= 0) all.#of(contender.name).push(sample)
      }
    }
    return all
  }

  /** Of somebody's own measurements. They move with the neighbours: for orientation. */
  spread(name: string, quantity = 'rate'): Spread {
    return spreadOf(this.#values(name, quantity))
  }

  /** Of the ratio to somebody else in the same round. */
  ratio(name: string, baseline: string, quantity = 'rate'): Spread {
    return this.reckoned((value) => value(name, quantity) / value(baseline, quantity))
  }

  /** Of what is reckoned, for each round, from its measurements. */
  reckoned(reckon: (value: (name: string, quantity: string) => number) => number): Spread {
    const { length } = [...this.#samples.values()][0] ?? []
    const rounds = Array.from({ length: length ?? 0 }, (_, round) =>
      reckon((name, quantity) => this.#values(name, quantity)[round] as number),
    )
    return spreadOf(rounds)
  }

  #values(name: string, quantity: string): number[] {
    return this.#of(name).map((sample) => {
      const value = sample[quantity]
      if (value === undefined || !Number.isFinite(value))
        throw new Error(`${name} was not measured: ${quantity}`)
      return value
    })
  }

  #of(name: string): Sample[] {
    const samples = this.#samples.get(name)
    if (samples === undefined) throw new Error(`nobody is called ${name}`)
    return samples
  }
}

/** Median and quartiles, interpolated between neighbours. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('nothing was measured')
  const sorted = values.toSorted((one, other) => one - other)
  const at = (share: number) => {
    const place = share * (sorted.length - 1)
    const low = sorted[Math.floor(place)] as number
    const high = sorted[Math.ceil(place)] as number
    return low + (high - low) * (place - Math.floor(place))
  }
  return { median: at(0.5), lower: at(0.25), upper: at(0.75) }
}

/** Fisher and Yates. */
function shuffled<T>(list: readonly T[]): T[] {
  const order = [...list]
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    ;[order[last], order[other]] = [order[other] as T, order[last] as T]
  }
  return order
}
