import type { Dice } from './dice.ts'
import { closeFrame, frame, OPCODE } from './websocket-frames.ts'

/** Frames, and what they oblige the other side to. */
export interface Said {
  readonly bytes: Buffer
  /** Of calls, each of which is answered. */
  readonly ids: readonly string[]
  readonly pings: readonly string[]
  /** The connection ends with one of these codes. */
  readonly ends?: readonly number[]
  /** It may as well be served; RFC 6455 has "MUST be minimal", and no code for who does otherwise. */
  readonly lenient?: boolean
}

const PROTOCOL = [1002]

/** What does not end the connection. `id` is unlike all others on it; the answers repeat it. */
export function goodFrames(dice: Dice, id: string): Said {
  const call = Buffer.from(
    JSON.stringify({
      jsonrpc: '2.0',
      method: dice.pick(['Auth.WhoAmI', 'none', 'Auth.CreateApiToken']),
      params: {},
      id,
    }),
  )
  const said = (bytes: Buffer, pings: string[] = []): Said => ({ bytes, ids: [id], pings })
  const nothing = (bytes: Buffer, pings: string[] = []): Said => ({ bytes, ids: [], pings })
  const ping = dice.bytes(dice.between(0, 125))
  switch (dice.below(8)) {
    case 0:
    case 1:
      return said(frame(OPCODE.text, call))
    case 2:
      return said(fragments(dice, call))
    case 3: {
      const [bytes, pings] = interleaved(dice, call)
      return said(bytes, pings)
    }
    case 4:
      return nothing(frame(OPCODE.ping, ping), [ping.toString('latin1')])
    case 5:
      return nothing(frame(OPCODE.pong, ping))
    case 6: // in each character of it, and each byte of those
      return {
        bytes: fragments(
          dice,
          Buffer.from(JSON.stringify({ jsonrpc: '2.0', method: 'ü😀', id: `${id}-ü😀` })),
          40,
        ),
        ids: [`${id}-ü😀`],
        pings: [],
      }
    default: {
      const big = JSON.stringify({
        jsonrpc: '2.0',
        method: 'none',
        id,
        x: 'x'.repeat(dice.pick([60, 125, 3000, 8000])),
      })
      return said(frame(OPCODE.text, Buffer.from(big)))
    }
  }
}

/** What ends it. `limit`: of a message's bytes. */
export function badFrames(dice: Dice, limit: number): Said {
  const text = Buffer.from('{"jsonrpc":"2.0","method":"none","id":"bad"}')
  const ends = (bytes: Buffer, codes: readonly number[] = PROTOCOL): Said => ({
    bytes,
    ids: [],
    pings: [],
    ends: codes,
  })
  const control = dice.pick([OPCODE.close, OPCODE.ping, OPCODE.pong])
  const make = dice.pick<() => Said>([
    () => ends(frame(OPCODE.text, text, { reserved: dice.between(1, 7) })),
    () => ends(frame(control, Buffer.alloc(0), { reserved: dice.between(1, 7) })),
    () => ends(frame(dice.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), text, { fin: dice.chance(0.5) })),
    () => ends(frame(dice.pick([OPCODE.text, OPCODE.ping]), text, { masked: false })),
    () => ends(frame(control, Buffer.alloc(dice.between(126, 300)))),
    () => ends(frame(control, Buffer.alloc(0), { fin: false })),
    () => ends(frame(OPCODE.continuation, text)),
    () => ends(Buffer.concat([frame(OPCODE.text, text, { fin: false }), frame(OPCODE.text, text)])),
    () => ends(frame(OPCODE.text, badUtf8(dice)), [1007]),
    () => ends(fragments(dice, badUtf8(dice), dice.between(2, 5)), [1007]),
    () => ends(frame(OPCODE.binary, text), [1003]),
    () => ends(frame(OPCODE.text, Buffer.alloc(limit + 1, 'x')), [1009]),
    () =>
      ends(
        frame(OPCODE.text, text, {
          claims: dice.pick([2n ** 63n, 2n ** 64n - 1n, 2n ** 53n, 2n ** 32n, 1_000_000n]),
        }),
        [1002, 1009],
      ),
    () => ends(fragments(dice, Buffer.alloc(limit * 2, 'x'), 4), [1009]),
    () => ends(frame(OPCODE.close, dice.bytes(1))),
    () =>
      ends(
        closeFrame(dice.pick([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535])),
      ),
    () => ends(frame(OPCODE.close, Buffer.from([3, 232, 0xff, 0xfe])), [1007]),
    () => ends(frame(control, dice.bytes(3), { lengthBytes: dice.pick([2, 8]) })),
    () => ({ ...ends(frame(OPCODE.text, text, { lengthBytes: dice.pick([2, 8]) })), lenient: true }),
    () => ends(Buffer.from('POST /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n')),
  ])
  return make()
}

/** A goodbye as it should be; it is answered with the same code. */
export function goodbye(dice: Dice): Said {
  const code = dice.pick([
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ])
  const bytes = closeFrame(code, dice.pick(['', 'bye', 'ü'.repeat(61)]))
  if (dice.chance(0.2))
    return { bytes: frame(OPCODE.close, Buffer.alloc(0)), ids: [], pings: [], ends: [1005] }
  return { bytes, ids: [], pings: [], ends: [code] }
}

function fragments(dice: Dice, payload: Buffer, count = dice.between(2, 8)): Buffer {
  const pieces = dice.cut(payload, count)
  return Buffer.concat(
    pieces.map((piece, n) =>
      frame(n === 0 ? OPCODE.text : OPCODE.continuation, piece, { fin: n === pieces.length - 1 }),
    ),
  )
}

/** Fragments with control frames between them. */
function interleaved(dice: Dice, payload: Buffer): [Buffer, string[]] {
  const [frames, pings]: [Buffer[], string[]] = [[], []]
  const pieces = dice.cut(payload, dice.between(2, 5))
  pieces.forEach((piece, n) => {
    if (n > 0) {
      const between = dice.bytes(dice.between(0, 125))
      pings.push(between.toString('latin1'))
      frames.push(frame(OPCODE.ping, between), frame(OPCODE.pong, between))
    }
    frames.push(frame(n === 0 ? OPCODE.text : OPCODE.continuation, piece, { fin: n === pieces.length - 1 }))
  })
  return [Buffer.concat(frames), pings]
}

/** Overlong, surrogates, beyond Unicode, cut off, or bytes that are in no text. */
function badUtf8(dice: Dice): Buffer {
  const bad = dice.pick([
    [0xff],
    [0xc0, 0x80],
    [0xe0, 0x80, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf0, 0x9f, 0x98],
    [0x80],
    [0xc3],
  ])
  const [front, back] = ['x'.repeat(dice.below(40)), dice.pick(['', 'y', 'y'.repeat(30)])]
  return Buffer.concat([Buffer.from(front), Buffer.from(bad), Buffer.from(back)])
}
