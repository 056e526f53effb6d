import assert from 'node:assert/strict'
import fc from 'fast-check'

/**
 * How often a property is tried. `npm test` tries each some times, `npm run fuzz` fifty times as often, or as
 * `FUZZ_RUNS=200 npm run fuzz` says. What fails prints the line that repeats it, already made as small as it gets:
 *
 *   FUZZ_SEED=-1819918769 FUZZ_PATH=8:1:0 node --import tsx --test --test-name-pattern 'NAME' test/fuzz/FILE.test.ts
 *
 * A daemon remembers what went before: where that matters, leave FUZZ_PATH out, and all the runs before it are made again.
 */
const { FUZZ_RUNS = '1', FUZZ_SEED, FUZZ_PATH } = process.env
const TIMES = Number(FUZZ_RUNS)
if (!(TIMES > 0)) throw new Error('FUZZ_RUNS takes a number above 0: by how much the runs are multiplied')

/** Tries a property so many times; in the long form, that many times more. */
export async function holds<T>(property: fc.IRawProperty<T>, runs: number): Promise<void> {
  const out = await fc.check(property as fc.IAsyncProperty<T>, {
    numRuns: Math.ceil(runs * TIMES),
    ...(FUZZ_SEED !== undefined && { seed: Number(FUZZ_SEED) }),
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
