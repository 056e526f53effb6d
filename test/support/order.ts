/** The value below which so many of a hundred lie. NaN where there are none: no comparison holds for that. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  const at = Math.ceil((percent / 100) * sorted.length) - 1
  return sorted[Math.max(0, at)] ?? Number.NaN
}

export const median = (values: readonly number[]): number => percentile(values, 50)
