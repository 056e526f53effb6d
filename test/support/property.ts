import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import fc from 'fast-check'

/**
 * What is drawn by lot is drawn here, or from `test/fuzz/dice.ts` with the same seed. `npm test` tries the same cases in
 * every run, so that what it refuses is refused again when somebody looks into it. `npm run fuzz` draws others each time,
 * and fifty times as many, or as `FUZZ_RUNS=200 npm run fuzz` says. What fails prints the line that repeats it, already
 * made as small as it gets:
 *
 *   FUZZ_SEED=1819918769 FUZZ_PATH=8:1:0 node --import tsx --test --test-name-pattern 'NAME' FILE
 *
 * A daemon remembers what went before: where that matters, leave FUZZ_PATH out, and all the runs before it are made again.
 */
const { FUZZ, FUZZ_RUNS = '1', FUZZ_SEED, FUZZ_PATH } = process.env
/** Not in passing, but for as long as it takes. */
export const LONG = FUZZ === 'long'
export const SEED = Number(FUZZ_SEED ?? (LONG ? randomInt(2 ** 31) : 1))
const TIMES = Number(FUZZ_RUNS)
if (!(TIMES > 0)) throw new Error('FUZZ_RUNS takes a number above 0: by how much the runs are multiplied')

/** Tries a property so many times, and by FUZZ_RUNS more. Some need cases for certain, or wait long for one. */
export async function holds<T>(
  property: fc.IRawProperty<T>,
  runs: number,
  rare: Pick<fc.Parameters<T>, 'examples' | 'maxSkipsPerRun'> = {},
): Promise<void> {
  const out = await fc.check(property as fc.IAsyncProperty<T>, {
    ...rare,
    numRuns: Math.ceil(runs * TIMES),
    seed: SEED,
    ...(FUZZ_PATH !== undefined && { path: FUZZ_PATH }),
  })
  if (!out.failed) return
  const repeat = `repeat it with FUZZ_SEED=${out.seed} FUZZ_PATH=${out.counterexamplePath ?? ''}`
  const cause = out.errorInstance instanceof Error ? out.errorInstance.stack : String(out.errorInstance)
  assert.fail(`after ${out.numRuns} runs; ${repeat}\n${shown(out.counterexample)}\n${cause}`)
}

const LONGEST_SHOWN = 1_500

function shown(value: unknown): string {
  const text = fc.stringify(value)
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}… (${text.length} characters)` : text
}
