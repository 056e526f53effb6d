import { parseArgs } from 'node:util'
import { asProgram } from '../support/scope.ts'
import { MiB } from '../support/vitals.ts'
import { ATTACKS, NEIGHBOUR } from './attacks/index.ts'
import { type Damage, measure } from './measure.ts'
import { IN_TIME_MS } from './regulars.ts'
import { build, buildBare, WHOLE } from './siege.ts'
import { HEAD, mebibytes, row } from './table.ts'

/**
 * `npm run siege -- [--quick] [--rounds N] [--bare] [--only NAME,…]`: what becomes of whoever behaves while somebody attacks. A name's beginning
 * is enough. With --bare the same becomes of a server of Node's own: what the machine and the method cost. Exits with 1 when a target is missed.
 */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    only: { type: 'string' },
    bare: { type: 'boolean' },
    rounds: { type: 'string' },
  },
})
const TARGETS = { served: 0.8, memory: 256 * MiB }
const [usual, burstMs] = values.quick === true ? [1, 250] : [3, 300]
const rounds = Number(values.rounds ?? usual)
if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error('--rounds takes a whole number above 0')
/** Of what the regulars can do: what an attack is to leave them. */
const SHARE = 1 / 4
const FASTEST = 2_000

const say = (line: string) => void process.stdout.write(`${line}\n`)

await asProgram(async (scope) => {
  const fortress = await (values.bare === true ? buildBare(scope) : build(scope, WHOLE))
  const { rate: most } = await fortress.regulars.closed(500, 1_000)
  const rate = Math.min(FASTEST, Math.round(most * SHARE))
  say(
    `${rate} calls per second are due, of ${Math.round(most)} that can be made; in time is ${IN_TIME_MS} ms`,
  )
  say(HEAD)
  const missed: string[] = []
  for (const name of chosen()) {
    const damage = await measure(fortress, name, { rounds, burstMs, rate })
    const faults = name === NEIGHBOUR || values.bare === true ? [] : faultsOf(damage)
    say(`${row(damage)}  ${faults.length === 0 ? 'ok' : faults.join('; ')}`)
    if (faults.length > 0) missed.push(name)
  }
  say(missed.length === 0 ? 'verdict: it goes on' : `verdict: missed by ${missed.join(', ')}`)
  return missed.length === 0 ? 0 : 1
})

function chosen(): string[] {
  const wanted = values.only?.split(',') ?? ['']
  const names = ATTACKS.filter(({ plain }) => plain || values.bare !== true).map(({ name }) => name)
  for (const beginning of wanted)
    if (!names.some((name) => name.startsWith(beginning)))
      throw new Error(`there is no attack ${beginning}; there are ${names.join(', ')}`)
  return names.filter((name) => wanted.some((beginning) => name.startsWith(beginning)))
}

function faultsOf({ served, memory: [before, peak], wrong, freed }: Damage): string[] {
  const faults: string[] = []
  if (!(served >= TARGETS.served)) faults.push(`served ${served.toFixed(2)} < ${TARGETS.served}`)
  if (peak - before > TARGETS.memory) faults.push(`memory grew by ${mebibytes(peak - before)} MiB`)
  if (wrong.length > 0) faults.push(`${wrong.length} wrong answers: ${wrong[0]}`)
  if (!freed) faults.push('connections stay')
  return faults
}
