/** Times as people say them. */

const UNITS: readonly [seconds: number, name: string][] = [
  [86_400, 'days'],
  [3_600, 'hours'],
  [60, 'min'],
]

/** Seconds as a number of the largest unit that fits twice: `3 days`, `90 min`, `100 s`. */
export function span(seconds: number): string {
  const [size, name] = UNITS.find(([unit]) => seconds >= 2 * unit) ?? [1, 's']
  return `${Math.floor(seconds / size)} ${name}`
}

/** A Unix second seen from now: `in 3 days`, `2 min ago`; `none` for 0. */
export function relative(unixSeconds: number, none: string, now = Date.now() / 1000): string {
  if (unixSeconds === 0) return none
  const ahead = unixSeconds - now
  return ahead >= 0 ? `in ${span(ahead)}` : `${span(-ahead)} ago`
}
