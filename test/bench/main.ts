import { readdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Scope } from '../support/daemon.ts'
import { Bench, type Figure, FORMS, type Form } from './figure.ts'
import { describeMachine } from './machine.ts'
import { inWords, missed, type Report, type ReportedRow, withTargets } from './report.ts'

/**
 * `npm run bench -- [--form quick|full|long] [--only 1,3] [--json FILE] [--svg FILE]`: all figures or some, as a table
 * and, into files, as JSON and as a drawing of what depends on the size of the store; --quick is --form quick. Exits with 1 when a target is missed, with 2 when something could not be measured.
 */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    form: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'string' },
    svg: { type: 'string' },
  },
})
const form = formOf(values.form ?? (values.quick ? 'quick' : 'full'))
const say = (line: string) => process.stderr.write(`${line}\n`)

let cleanUps: (() => void)[] = []
process.once('SIGINT', () => end(130))
process.once('SIGTERM', () => end(143))
try {
  end(await measureAll(await chosen()))
} catch (error) {
  say(String((error as Error).stack))
  end(2)
}

async function measureAll(figures: readonly Figure[]): Promise<number> {
  const begun = performance.now()
  const machine = describeMachine()
  const rows: ReportedRow[] = []
  const failures: string[] = []
  for (const figure of figures) {
    say(`${figure.number}. ${figure.name} …`)
    const started = performance.now()
    try {
      const measured = await measure(figure)
      rows.push(...withTargets(figure, measured))
      if (values.svg !== undefined && figure.draw !== undefined)
        writeFileSync(values.svg, figure.draw(measured))
      say(`   ${Math.round((performance.now() - started) / 1000)} s`)
    } catch (error) {
      failures.push(`figure ${figure.number} could not be measured: ${(error as Error).stack}`)
    }
  }
  const report: Report = {
    at: new Date().toISOString(),
    form,
    seconds: (performance.now() - begun) / 1000,
    machine,
    figures: figures.map(({ number, name }) => ({ number, name })),
    rows,
  }
  process.stdout.write(inWords(report))
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
  for (const failure of failures) say(failure)
  if (failures.length > 0) return 2
  return missed(report).length === 0 ? 0 : 1
}

async function measure(figure: Figure): ReturnType<Figure['run']> {
  const scope: Scope = { after: (cleanUp) => cleanUps.push(cleanUp) }
  try {
    return await figure.run(new Bench(scope, form, say))
  } finally {
    cleanUp()
  }
}

async function chosen(): Promise<Figure[]> {
  const folder = new URL('figures/', import.meta.url)
  const wanted = values.only?.split(',').map(Number)
  const found: Figure[] = []
  for (const file of readdirSync(folder).sort()) {
    if (!/^\d+-.*\.ts$/.test(file)) continue
    const { default: figure } = (await import(new URL(file, folder).href)) as { default: Figure }
    if (wanted === undefined || wanted.includes(figure.number)) found.push(figure)
  }
  for (const number of wanted ?? [])
    if (!found.some((figure) => figure.number === number)) throw new Error(`there is no figure ${number}`)
  return found
}

function formOf(text: string): Form {
  const form = FORMS.find((one) => one === text)
  if (form === undefined) throw new Error(`--form is one of ${FORMS.join(', ')}`)
  return form
}

/** Those who were started last end first: a daemon before its folder. */
function cleanUp(): void {
  for (const one of cleanUps.reverse()) one()
  cleanUps = []
}

function end(code: number): never {
  cleanUp()
  process.exit(code)
}
