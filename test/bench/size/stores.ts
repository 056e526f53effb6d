import { temporaryDirectory } from '../../support/daemon.ts'
import type { Bench, Form } from '../figure.ts'
import { type Seeded, seedDaemon } from '../seeding.ts'

/** How many tokens are stored. */
export const SIZES = [10_000, 100_000, 1_000_000, 10_000_000] as const
export type Size = (typeof SIZES)[number]
export const SMALLEST = SIZES[0]

/** Each takes ten times as long to fill as the one before. */
const MEASURED: Readonly<Record<Form, readonly Size[]>> = {
  smallest: [SMALLEST],
  quick: [SMALLEST],
  full: [SMALLEST, SIZES[2]],
  long: SIZES,
}

export interface Filled {
  readonly size: Size
  /** A daemon's folder; no daemon has been started in it. */
  readonly directory: string
  readonly tokens: Seeded
}

export function sizesOf({ form }: Bench): readonly Size[] {
  return MEASURED[form]
}

/** 10⁴ tokens. */
export function tokensIn(size: number): string {
  return `10${powerOf(size)} tokens`
}

export function powerOf(size: number): string {
  return '⁰¹²³⁴⁵⁶⁷⁸⁹'[Math.round(Math.log10(size))] as string
}

/** Why a size is not measured. */
export function elsewhere(size: Size): string {
  const forms = (['full', 'long'] as const).filter((form) => MEASURED[form].includes(size))
  return `only with --form ${forms.join(' or ')}`
}

export async function fillStores(bench: Bench): Promise<Filled[]> {
  const stores: Filled[] = []
  for (const size of sizesOf(bench)) {
    bench.say(`   filling a store with ${tokensIn(size)}`)
    const directory = temporaryDirectory(bench.scope)
    stores.push({ size, directory, tokens: await seedDaemon(directory, size) })
  }
  return stores
}
