import type { LanePlan } from './plan.ts'

/** Where an answer begins and ends; the next one begins at `next`. */
interface Frame {
  readonly start: number
  readonly end: number
  readonly next: number
}

/**
 * Counts whole answers in what arrives on one connection, and looks at each: an error that counted as an answer would
 * make whoever refuses the fastest.
 */
export class Answers {
  readonly #frame: (data: Buffer, at: number) => Frame | undefined
  readonly #wanted: Buffer
  readonly #calls: number
  /** Where in the last answer it was found: it is looked for there first. */
  #place = 0
  #rest: Buffer | undefined

  constructor({ request, status = 200, wanted = '"result":', calls = 1 }: LanePlan) {
    const { protocol } = request
    this.#frame =
      protocol === 'lines'
        ? line
        : protocol === 'websocket'
          ? textFrame
          : (data, at) => http(data, at, status)
    this.#wanted = Buffer.from(wanted)
    this.#calls = calls
  }

  /** How many answers these bytes complete. Throws at one that is not what is wanted. */
  take(chunk: Buffer): number {
    const data = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let count = 0
    let at = 0
    for (let frame = this.#frame(data, at); frame !== undefined; frame = this.#frame(data, at)) {
      this.#judge(data, frame)
      at = frame.next
      count++
    }
    this.#rest = at === data.length ? undefined : data.subarray(at)
    return count
  }

  #judge(data: Buffer, { start, end }: Frame): void {
    const expected = start + this.#place
    if (this.#calls === 1 && expected + this.#wanted.length <= end && this.#isAt(data, expected)) return
    const answer = data.subarray(start, end)
    let found = 0
    for (let at = answer.indexOf(this.#wanted); at >= 0 && found < this.#calls; found++) {
      this.#place = at
      at = answer.indexOf(this.#wanted, at + this.#wanted.length)
    }
    if (found !== this.#calls) throw new Error(`answered: ${answer.toString('latin1', 0, 500)}`)
  }

  #isAt(data: Buffer, from: number): boolean {
    for (let at = 0; at < this.#wanted.length; at++) if (data[from + at] !== this.#wanted[at]) return false
    return true
  }
}

function line(data: Buffer, at: number): Frame | undefined {
  const end = data.indexOf(0x0a, at)
  return end < 0 ? undefined : { start: at, end, next: end + 1 }
}

/** A server's frames are not masked. Anything but a whole text (a ping, a closing) is not what is measured here. */
function textFrame(data: Buffer, at: number): Frame | undefined {
  if (data.length < at + 4) return undefined
  if (data[at] !== 0x81)
    throw new Error(`a frame that is none of text: ${data.toString('latin1', at, at + 200)}`)
  const short = data[at + 1] as number
  if (short > 126) throw new Error('a frame of that length is not read here')
  const start = at + (short === 126 ? 4 : 2)
  const end = start + (short === 126 ? data.readUInt16BE(at + 2) : short)
  return end > data.length ? undefined : { start, end, next: end }
}

function http(data: Buffer, at: number, status: number): Frame | undefined {
  const headEnd = data.indexOf('\r\n\r\n', at)
  if (headEnd < 0) return undefined
  const head = data.toString('latin1', at, headEnd)
  const start = headEnd + 4
  const length = status === 204 ? '0' : /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (!head.startsWith(`HTTP/1.1 ${status} `) || length === undefined)
    throw new Error(`answered: ${data.toString('latin1', at, at + 800)}`)
  const end = start + Number(length)
  return end > data.length ? undefined : { start, end, next: end }
}
