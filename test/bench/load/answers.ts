import type { LanePlan } from './plan.ts'

/** First bytes of whole frames (RFC 6455 section 5.2). */
const TEXT = 0x81
const PING = 0x89

/** Where an answer begins and ends; the next one begins at `next`. */
interface Frame {
  readonly start: number
  readonly end: number
  readonly next: number
  /** Of a WebSocket: whether the other side is still there. */
  readonly isPing?: boolean
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
  readonly #onPing: (payload: Buffer) => void

  constructor(
    { request, status = 200, wanted = '"result":', calls = 1 }: LanePlan,
    onPing: (payload: Buffer) => void,
  ) {
    this.#onPing = onPing
    const { protocol } = request
    this.#frame = {
      lines: line,
      websocket: webSocketFrame,
      http: (data: Buffer, at: number) => http(data, at, status),
    }[protocol]
    this.#wanted = Buffer.from(wanted)
    this.#calls = calls
  }

  /** How many answers these bytes complete. Throws at one that is not what is wanted. */
  take(chunk: Buffer): number {
    const data = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let count = 0
    let at = 0
    for (let frame = this.#frame(data, at); frame !== undefined; frame = this.#frame(data, at)) {
      at = frame.next
      if (frame.isPing === true) {
        this.#onPing(data.subarray(frame.start, frame.end))
        continue
      }
      this.#judge(data, frame)
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

/** A server's frames are not masked. Anything but a whole text or a ping (a closing) is not what is measured here. */
function webSocketFrame(data: Buffer, at: number): Frame | undefined {
  const short = data[at + 1]
  if (short === undefined) return undefined
  const isPing = data[at] === PING
  if ((data[at] !== TEXT && !isPing) || short > 126)
    throw new Error(`a frame that is not read here: ${data.toString('latin1', at, at + 200)}`)
  if (short === 126 && data.length < at + 4) return undefined
  const start = short === 126 ? at + 4 : at + 2
  const end = start + (short === 126 ? data.readUInt16BE(at + 2) : short)
  return end > data.length ? undefined : { start, end, next: end, isPing }
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
