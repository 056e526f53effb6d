/** Durations and sizes as people write them. */

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** `500ms 10s 5m 2h 7d` → milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return parse(text, /^(\d{1,9})(ms|s|m|h|d)$/, MILLISECONDS)
}

/** `512B 16KiB 1MiB` → bytes; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parse(text, /^(\d{1,9})(B|KiB|MiB|GiB)$/, BYTES)
}

/** `100/s 600/m 10/h` → how many a second; undefined for anything else. */
export function parseRate(text: string): number | undefined {
  const [, count, unit = ''] = /^([1-9]\d{0,8})\/(s|m|h)$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) / ((MILLISECONDS[unit] as number) / 1000)
}

function parse(text: string, shape: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const [, count, unit] = shape.exec(text) ?? []
  const factor = unit === undefined ? undefined : units[unit]
  return factor === undefined ? undefined : Number(count) * factor
}
