import { MiB } from '../support/vitals.ts'
import type { Damage } from './measure.ts'

const COLUMNS = [27, 7, 7, 9, 9, 9, 17, 9, 9, 7] as const
export const HEAD = cells(
  'attack',
  'served',
  'most',
  'p99 quiet',
  'p99',
  'RssAnon MiB',
  'conns',
  'MiB sent',
  'cpu s',
)

/** One attack in numbers. */
export function row({ name, served, most, quietP99, p99, recovery, memory, effort }: Damage): string {
  return cells(
    name,
    served.toFixed(2),
    most.toFixed(2),
    quietP99.toFixed(1),
    p99.toFixed(1),
    recovery.toFixed(0),
    memory.map(mebibytes).join(' '),
    String(effort.connections),
    (effort.bytes / MiB).toFixed(1),
    effort.seconds.toFixed(1),
  )
}

function cells(...texts: string[]): string {
  return texts
    .map((text, at) => (at === 0 ? text.padEnd(COLUMNS[0]) : text.padStart(COLUMNS[at] ?? 9)))
    .join('  ')
}

export function mebibytes(bytes: number): string {
  return String(Math.round(bytes / MiB))
}
