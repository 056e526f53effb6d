import type { Spread } from './paired.ts'

export interface Point extends Spread {
  readonly x: number
}

export interface Series {
  readonly name: string
  readonly points: readonly Point[]
}

/** A part of the drawing with an upright axis of its own, which begins at 0. */
export interface Panel {
  readonly title: string
  readonly series: readonly Series[]
}

/** The level axis goes by powers of ten. */
export interface Axis {
  readonly label: string
  readonly from: number
  readonly to: number
}

const WIDTH = 320
const HEIGHT = 220
const MARGIN = { left: 46, right: 78, top: 34, bottom: 44 } as const
const INNER = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom }
const COLOURS = ['#c2410c', '#1d4ed8', '#15803d']
const STEPS = 4
const STYLE =
  'text{font:11px sans-serif;fill:#333}.title{font-weight:600}.axis{stroke:#999}.grid{stroke:#ddd}.line{fill:none;stroke-width:2}'

/** Panels side by side, as SVG. A point is a median; the stroke through it ends at the quartiles. */
export function plot(panels: readonly Panel[], axis: Axis): string {
  const drawn = panels.map(
    (panel, at) => `<g transform="translate(${at * WIDTH},0)">\n${drawPanel(panel, axis)}\n</g>`,
  )
  const size = `width="${WIDTH * panels.length}" height="${HEIGHT}"`
  const box = `viewBox="0 0 ${WIDTH * panels.length} ${HEIGHT}"`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${box}>`,
    `<title>${panels.map(({ title }) => title).join('; ')}</title>`,
    `<style>${STYLE}</style>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...drawn,
    '</svg>\n',
  ].join('\n')
}

function drawPanel({ title, series }: Panel, axis: Axis): string {
  const top = roundUp(Math.max(0, ...series.flatMap(({ points }) => points.map(({ upper }) => upper))))
  const place: Placing = {
    x: (value) => MARGIN.left + (Math.log(value / axis.from) / Math.log(axis.to / axis.from)) * INNER.width,
    y: (value) => MARGIN.top + (1 - value / top) * INNER.height,
  }
  return [
    `<text class="title" x="${MARGIN.left}" y="18">${escaped(title)}</text>`,
    ...drawUprightAxis(top, place),
    ...drawLevelAxis(axis, place),
    ...series.flatMap((one, at) => drawSeries(one, COLOURS[at % COLOURS.length] as string, place)),
  ].join('\n')
}

interface Placing {
  readonly x: (value: number) => number
  readonly y: (value: number) => number
}

function drawUprightAxis(top: number, { y }: Placing): string[] {
  return Array.from({ length: STEPS + 1 }, (_, step) => (top * step) / STEPS).flatMap((value) => [
    line('grid', MARGIN.left, y(value), MARGIN.left + INNER.width, y(value)),
    `<text x="${MARGIN.left - 6}" y="${fixed(y(value) + 4)}" text-anchor="end">${Number(value.toPrecision(3))}</text>`,
  ])
}

function drawLevelAxis({ label, from, to }: Axis, { x }: Placing): string[] {
  const bottom = MARGIN.top + INNER.height
  const marks: string[] = [line('axis', MARGIN.left, bottom, MARGIN.left + INNER.width, bottom)]
  for (let power = Math.round(Math.log10(from)); 10 ** power <= to; power++) {
    const at = fixed(x(10 ** power))
    marks.push(
      line('axis', x(10 ** power), bottom, x(10 ** power), bottom + 4),
      `<text x="${at}" y="${bottom + 17}" text-anchor="middle">10<tspan dy="-4" font-size="8">${power}</tspan></text>`,
    )
  }
  const middle = MARGIN.left + INNER.width / 2
  return [...marks, `<text x="${middle}" y="${bottom + 34}" text-anchor="middle">${escaped(label)}</text>`]
}

function drawSeries({ name, points }: Series, colour: string, { x, y }: Placing): string[] {
  const last = points.at(-1)
  if (last === undefined) return []
  const path = points.map((point) => `${fixed(x(point.x))},${fixed(y(point.median))}`).join(' ')
  const marks = points.flatMap((point) => [
    `<circle cx="${fixed(x(point.x))}" cy="${fixed(y(point.median))}" r="3" fill="${colour}"/>`,
    `<line x1="${fixed(x(point.x))}" y1="${fixed(y(point.lower))}" x2="${fixed(x(point.x))}" y2="${fixed(y(point.upper))}" stroke="${colour}"/>`,
  ])
  const label = `<text x="${fixed(x(last.x) + 8)}" y="${fixed(y(last.median) + 4)}" style="fill:${colour}">${escaped(name)}</text>`
  return [`<polyline class="line" stroke="${colour}" points="${path}"/>`, ...marks, label]
}

function line(kind: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="${kind}" x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}"/>`
}

/** To one or two digits, so that a quarter of it is a number that can be read. */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value || 1))
  return ([1, 2, 4, 6, 8, 10].find((digit) => digit * unit >= value) as number) * unit
}

function fixed(value: number): string {
  return value.toFixed(1)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
