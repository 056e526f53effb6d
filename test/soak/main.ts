import { parseArgs } from 'node:util'
import { asProgram } from '../support/scope.ts'
import { MiB } from '../support/vitals.ts'
import { ALLOWANCES, quarters } from './rules.ts'
import type { Sample } from './samples.ts'
import { type Outcome, soak } from './soak.ts'

/** `npm run soak -- --minutes N`: endurance. Exits with 1 when a rule is broken, and says which. */
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '2' } } })
const minutes = Number(values.minutes)
if (!(minutes >= 1 && minutes <= 60)) throw new Error('--minutes takes a number from 1 to 60')

const say = (line: string) => void process.stdout.write(`${line}\n`)

await asProgram(async (scope) => {
  say(`${minutes} minutes of mixed load; a line for each quarter`)
  const outcome = await soak(scope, {
    minutes,
    intervals: 80,
    workers: 12,
    allowances: ALLOWANCES,
    least: 10,
  })
  tell(outcome)
  for (const fault of outcome.faults) say(`BROKEN: ${fault}`)
  say(outcome.faults.length === 0 ? 'verdict: it lasts' : `verdict: ${outcome.faults.length} faults`)
  return outcome.faults.length === 0 ? 0 : 1
})

function tell({ samples, register, kept }: Outcome): void {
  const mebibytes = (value: number) => (value / MiB).toFixed(1)
  const columns: readonly [title: string, of: (sample: Sample) => number, show: (value: number) => string][] =
    [
      ['RssAnon MiB', ({ memory }) => memory, mebibytes],
      ['descriptors', ({ descriptors }) => descriptors, String],
      ['sockets', ({ sockets }) => sockets, String],
      ['state MiB', ({ state }) => state, mebibytes],
      ['p50 ms', ({ p50 }) => p50, (value) => value.toFixed(2)],
      ['p99 ms', ({ p99 }) => p99, (value) => value.toFixed(2)],
      ['p50 / bare', ({ p50, bare }) => p50 / bare, (value) => value.toFixed(2)],
    ]
  for (const [title, of, show] of columns)
    say(
      `${title.padEnd(12)} ${quarters(samples, of)
        .map((value) => show(value).padStart(9))
        .join('')}`,
    )
  const counts = [...register.done].map(([what, times]) => `${what} ${times}`)
  say(`done: ${counts.sort().join(', ')}`)
  say(
    `seen: ${Object.entries(kept)
      .map(([what, times]) => `${times} ${what}`)
      .join(', ')}`,
  )
}
