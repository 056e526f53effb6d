import type { Row } from '../figure.ts'
import { type Panel, plot, type Series } from '../plot.ts'
import { startTime } from './starts.ts'
import { SIZES, type Size } from './stores.ts'
import { cachedTime, memoryWith, uncachedTime } from './verification.ts'

/** What depends on how many tokens are stored, and what does not. */
export function drawSizes(rows: readonly Row[]): string {
  const series = (name: string, rowOf: (size: Size) => string): Series => ({
    name,
    points: SIZES.flatMap((size) => {
      const row = rows.find((one) => one.name === rowOf(size))
      return row === undefined || 'omitted' in row ? [] : [{ x: size, ...row.value }]
    }),
  })
  const panels: Panel[] = [
    {
      title: 'Processor time of a verification, µs',
      series: [series('not cached', uncachedTime), series('cached', cachedTime)],
    },
    { title: 'From exec to the first answer, ms', series: [series('start', startTime)] },
    { title: 'Anonymous memory, MB', series: [series('memory', memoryWith)] },
  ]
  return plot(panels, { label: 'stored tokens', from: SIZES[0], to: SIZES.at(-1) as number })
}
