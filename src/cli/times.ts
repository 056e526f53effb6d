import { Complaint } from '../protocol/complaint.ts'
import { parseDuration } from '../units.ts'

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

/** `2h` or `7d` ago (or ahead), or a time as ISO 8601 has it → Unix seconds. Throws Complaint. */
export function readTime(flag: string, text: string, direction: 'ago' | 'ahead' = 'ago'): number {
  const span = parseDuration(text)
  const milliseconds =
    span === undefined ? Date.parse(text) : Date.now() + (direction === 'ago' ? -span : span)
  if (Number.isFinite(milliseconds)) return Math.max(0, Math.floor(milliseconds / 1000))
  throw new Complaint(`${flag} ${text}: not a time`, 'write 2h, 7d, or 2026-01-31T12:00:00Z', { exitCode: 2 })
}
