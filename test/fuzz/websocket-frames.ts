/** Opcodes of RFC 6455 section 5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameShape {
  readonly fin?: boolean
  /** Three bits. */
  readonly reserved?: number
  readonly masked?: boolean
  /** Bytes that its length is written with; as few as can be where left out. */
  readonly lengthBytes?: 0 | 2 | 8
  /** Where it claims another length than it has. */
  readonly claims?: bigint
}

/** A frame of a client: right where nothing else is asked for. */
export function frame(opcode: number, payload: Buffer, shape: FrameShape = {}): Buffer {
  const { fin = true, reserved = 0, masked = true } = shape
  const length = shape.claims ?? BigInt(payload.length)
  const lengthBytes = shape.lengthBytes ?? (length < 126n ? 0 : length < 65536n ? 2 : 8)
  const head = Buffer.alloc(2 + lengthBytes)
  head[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  head[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127)
  if (lengthBytes === 2) head.writeUInt16BE(Number(length & 0xffffn), 2)
  if (lengthBytes === 8) head.writeBigUInt64BE(length, 2)
  if (!masked) return Buffer.concat([head, payload])
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78])
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ (mask[at % 4] as number))])
}

export function closeFrame(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return frame(OPCODE.close, Buffer.concat([payload, Buffer.from(reason)]))
}

/** What a server has said. */
export interface Told {
  readonly texts: readonly string[]
  readonly pongs: readonly string[]
  /** Undefined: it has not said goodbye. 1005: without a code. */
  readonly code: number | undefined
}

/** What a server may end a connection with: RFC 6455 section 7.4, and those of applications. */
function isCode(code: number): boolean {
  const registered = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)
  return registered || (code >= 3000 && code <= 4999)
}

/** Reads a server's frames as strictly as RFC 6455 has them, and throws for anything else. */
export function readFrames(bytes: Buffer): Told {
  const [texts, pongs]: [string[], string[]] = [[], []]
  let code: number | undefined
  for (let at = 0; at < bytes.length; ) {
    const frame = readFrame(bytes, at)
    if (frame === undefined) break // cut off in the middle
    const { opcode, payload, end } = frame
    if (code !== undefined) throw new Error('a frame came behind the goodbye')
    if (opcode === OPCODE.text) texts.push(new TextDecoder('utf8', { fatal: true }).decode(payload))
    else if (opcode === OPCODE.pong) pongs.push(payload.toString('latin1'))
    else if (opcode === OPCODE.close) code = readCode(payload)
    else if (opcode !== OPCODE.ping) throw new Error(`nobody expects opcode ${opcode}`)
    at = end
  }
  return { texts, pongs, code }
}

function readFrame(bytes: Buffer, at: number): { opcode: number; payload: Buffer; end: number } | undefined {
  const [first, second] = [bytes[at], bytes[at + 1]]
  if (first === undefined || second === undefined) return undefined
  const opcode = first & 0x0f
  if ((first & 0xf0) !== 0x80) throw new Error(`a frame begins with ${first.toString(16)}`)
  if (second >= 0x80) throw new Error('a server does not mask')
  const from = at + 2 + (second === 126 ? 2 : second === 127 ? 8 : 0)
  if (bytes.length < from) return undefined
  const length =
    second === 126
      ? bytes.readUInt16BE(at + 2)
      : second === 127
        ? Number(bytes.readBigUInt64BE(at + 2))
        : second
  if ((second === 126 && length < 126) || (second === 127 && length < 65536))
    throw new Error('a length takes more bytes than it needs')
  if (opcode >= 8 && length > 125) throw new Error('a control frame is too long')
  const end = from + length
  return end > bytes.length ? undefined : { opcode, payload: bytes.subarray(from, end), end }
}

function readCode(payload: Buffer): number {
  if (payload.length === 0) return 1005
  if (payload.length === 1) throw new Error('half a close code')
  const code = payload.readUInt16BE(0)
  if (!isCode(code)) throw new Error(`no server may end a connection with ${code}`)
  new TextDecoder('utf8', { fatal: true }).decode(payload.subarray(2))
  return code
}
