import type { RequestPlan } from './plan.ts'
import { readSecrets } from './secrets.ts'

/** So that what is pipelined can be cut out as one piece. */
const LEAST = 256

/** Requests, as bytes, one behind the other: whoever sends cuts off the next few, and nothing is built meanwhile. */
export class Ring {
  readonly #bytes: Buffer
  /** Where each request begins, and where the last ends. */
  readonly #starts: Float64Array

  constructor(plan: RequestPlan) {
    const requests = bodies(plan).map((build) => build(plan))
    const copies = Math.ceil(LEAST / requests.length)
    const all = Array.from({ length: copies }, () => requests).flat()
    this.#bytes = Buffer.concat(all)
    this.#starts = new Float64Array(all.length + 1)
    for (const [at, { length }] of all.entries()) this.#starts[at + 1] = (this.#starts[at] as number) + length
  }

  get length(): number {
    return this.#starts.length - 1
  }

  slice(from: number, count: number): Buffer {
    return this.#bytes.subarray(this.#starts[from], this.#starts[from + count])
  }
}

type Build = (plan: RequestPlan) => Buffer

function bodies({ tokens, body }: RequestPlan): Build[] {
  if (tokens === undefined) return [(plan) => encode(plan, body, undefined)]
  const { file, firstId, count } = tokens
  return readSecrets(file, count).map((secret, at) => (plan) => {
    const filled = plan.body.replaceAll('$TOKEN', secret).replaceAll('$ID', String(firstId + at))
    return encode(plan, filled, secret)
  })
}

function encode(plan: RequestPlan, body: string, secret: string | undefined): Buffer {
  switch (plan.protocol) {
    case 'lines':
      return Buffer.from(`${body}\n`)
    case 'websocket':
      return textFrame(body)
    case 'http':
      return httpRequest(plan, body, secret)
  }
}

function httpRequest(
  { target = 'POST /api/', contentType = 'application/json', bearer }: RequestPlan,
  body: string,
  secret: string | undefined,
): Buffer {
  const lines = [`${target} HTTP/1.1`, 'Host: localhost']
  if (bearer === true) lines.push(`Authorization: Bearer ${secret}`)
  if (body !== '') lines.push(`Content-Type: ${contentType}`, `Content-Length: ${Buffer.byteLength(body)}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** A client masks its frames; a mask of zeros leaves the bytes as they are (RFC 6455 section 5.3), and costs the server the same. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const long = payload.length > 125
  const head = Buffer.alloc(long ? 8 : 6)
  head[0] = 0x81
  head[1] = 0x80 | (long ? 126 : payload.length)
  if (payload.length > 0xffff) throw new Error('a frame of that length is not built here')
  if (long) head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}
