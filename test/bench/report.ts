import type { Figure, Form, Row, Target, Unit } from './figure.ts'
import type { Machine } from './machine.ts'
import type { Spread } from './paired.ts'

export interface ReportedRow {
  readonly figure: number
  readonly name: string
  readonly unit?: Unit
  readonly value?: Spread
  readonly omitted?: string
  readonly target?: Target
  /** Only where there are both a value and a target. */
  readonly met?: boolean
}

export interface Report {
  readonly at: string
  readonly form: Form
  readonly seconds: number
  readonly machine: Machine
  readonly figures: readonly { readonly number: number; readonly name: string }[]
  readonly rows: readonly ReportedRow[]
}

/** A figure's rows with their targets beside them. Throws where a target is about nothing. */
export function withTargets({ number: figure, targets }: Figure, rows: readonly Row[]): ReportedRow[] {
  const names = new Set(rows.map(({ name }) => name))
  if (names.size < rows.length) throw new Error(`figure ${figure} has two rows of one name`)
  for (const name of Object.keys(targets))
    if (!names.has(name)) throw new Error(`figure ${figure} has a target and no measurement: ${name}`)
  return rows.map((row) => {
    const target = targets[row.name]
    const judged = { figure, ...row, ...(target !== undefined && { target }) }
    if (target === undefined || 'omitted' in row) return judged
    return { ...judged, met: meets(row.value.median, target) }
  })
}

function meets(value: number, target: Target): boolean {
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
}

export function missed({ rows }: Report): ReportedRow[] {
  return rows.filter(({ met }) => met === false)
}

/** For people. */
export function inWords(report: Report): string {
  const { machine, form, seconds, figures, rows } = report
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}`,
    `state on ${machine.filesystem}, ${machine.fdatasyncPerSecond} fdatasync/s; ${form} form, ${Math.round(seconds)} s`,
    'Median, and the quartiles in brackets. Only ratios can be compared between runs.',
  ]
  for (const { number, name } of figures) {
    lines.push('', `${number}. ${name}`)
    for (const row of rows) if (row.figure === number) lines.push(inOneLine(row))
  }
  const misses = missed(report).length
  const targets = rows.filter(({ met }) => met !== undefined).length
  return `${[...lines, '', `${targets - misses} of ${targets} targets met`].join('\n')}\n`
}

function inOneLine({ name, unit, value, omitted, target, met }: ReportedRow): string {
  const label = `  ${name.padEnd(56)}`
  if (value === undefined) return `${label} ${'-'.padStart(12)}  not measured: ${omitted}`
  const number = `${printed(value.median)}${unit === 'ratio' ? ' ×' : ` ${unit}`}`
  const spread = `[${printed(value.lower)} … ${printed(value.upper)}]`
  const wish = target === undefined ? '' : `${inSigns(target)}  ${met ? 'met' : 'MISSED'}`
  return `${label} ${number.padStart(14)}  ${spread.padEnd(20)} ${wish}`.trimEnd()
}

function inSigns(target: Target): string {
  return 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`
}

function printed(value: number): string {
  if (value >= 1000) return String(Math.round(value))
  return value >= 100 ? value.toFixed(1) : value.toFixed(value < 0.1 ? 4 : 3)
}
