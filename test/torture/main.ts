import { parseArgs } from 'node:util'
import type { Scope } from '../support/daemon.ts'
import { powerCuts } from './power-cut.ts'

/** `npm run torture -- --cuts N`: power cuts, one line each. Needs root. Exits with 1 when something is lost. */
const { values } = parseArgs({ options: { cuts: { type: 'string', default: '200' } } })
const cuts = Number(values.cuts)
if (!Number.isInteger(cuts) || cuts < 1) throw new Error('--cuts takes a whole number above 0')

const cleanUps: (() => void)[] = []
const scope: Scope = { after: (cleanUp) => cleanUps.push(cleanUp) }
const say = (line: string) => process.stdout.write(`${line}\n`)
let lost = 0
let acknowledged = 0
process.once('SIGINT', () => end(130))
process.once('SIGTERM', () => end(143))
try {
  for await (const cut of powerCuts(scope, cuts)) {
    lost += cut.losses.length
    acknowledged += cut.acknowledged
    const verdict = cut.losses.length === 0 ? 'nothing lost' : `${cut.losses.length} LOST`
    say(
      `cut ${cut.number}: ${cut.acknowledged} acknowledged, ${cut.unknown} unknown, ${cut.tokens} tokens looked at, ${verdict}`,
    )
    for (const loss of cut.losses) say(`  ${loss}`)
  }
  say(`${cuts} cuts, ${acknowledged} changes acknowledged, ${lost} lost`)
} catch (error) {
  lost++
  say(String((error as Error).stack))
}
end(lost === 0 ? 0 : 1)

function end(code: number): never {
  for (const cleanUp of cleanUps) cleanUp()
  process.exit(code)
}
