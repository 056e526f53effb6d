import type { Figure } from '../figure.ts'
import { drawSizes } from '../size/drawing.ts'
import { MEMORY_ROWS, measureMemory } from '../size/memory.ts'
import { EMPTY_AGAINST_BARE, EXPIRED_ROWS, measureStarts, startAgainstEmpty } from '../size/starts.ts'
import { fillStores, SIZES, SMALLEST } from '../size/stores.ts'
import { cachedAgainstSmallest, measureVerification, missAgainstRead } from '../size/verification.ts'

const LARGER = SIZES.filter((size) => size > SMALLEST)
/** Smaller ones lie in LevelDB's own memory: a read is next to nothing there. */
const LARGEST = SIZES.slice(-2)

const same = (names: readonly string[], target: { atLeast: number } | { atMost: number }) =>
  Object.fromEntries(names.map((name) => [name, target]))

const figure: Figure = {
  number: 4,
  name: 'The size of the store: Auth.WhoAmI over the Unix socket, 50 connections; memory; the start of the daemon',
  targets: {
    ...same(LARGER.map(cachedAgainstSmallest), { atLeast: 0.95 }),
    ...same(LARGEST.map(missAgainstRead), { atMost: 4 }),
    ...same(MEMORY_ROWS, { atMost: 130 }),
    [EMPTY_AGAINST_BARE]: { atMost: 1.6 },
    ...same(SIZES.map(startAgainstEmpty), { atMost: 1.15 }),
    ...same(EXPIRED_ROWS, { atMost: 1.15 }),
  },
  async run(bench) {
    const stores = await fillStores(bench)
    return [
      ...(await measureVerification(bench, stores)),
      ...(await measureMemory(bench, stores)),
      ...(await measureStarts(bench, stores)),
    ]
  },
  draw: drawSizes,
}
export default figure
