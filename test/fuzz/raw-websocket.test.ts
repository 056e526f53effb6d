import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { startDaemon, until } from '../support/daemon.ts'
import { LONG } from '../support/property.ts'
import { mint, open, webSocket } from '../support/talk.ts'
import { type Dice, tryCases } from './dice.ts'
import { assertRecovered, descriptors } from './unharmed.ts'
import { frame, OPCODE, readFrames, type Told } from './websocket-frames.ts'
import { badFrames, goodbye, goodFrames, type Said } from './websocket-grammar.ts'
import { hear, show } from './wire.ts'

const LIMIT = 10 * 1024
const daemon = await startDaemon({ after }, { config: `[limits]\nframe = "10KiB"\n` })
const token = await mint(daemon)
const openBefore = descriptors(daemon)
const CASES = LONG ? 20_000 : 200

/** Which codes have ended a connection at all. */
const codes = new Set<number>()

for (const door of ['unix', 'tcp'] as const) {
  describe(`bytes behind a handshake, on ${door}`, () => {
    it('are served up to the first fault, and that one is answered with its code', () =>
      tryCases(`frames on ${door}`, CASES, async (dice) => {
        const good = dice.times(dice.below(6), (n) => goodFrames(dice, `id-${n}`))
        const last = dice.chance(0.7) ? badFrames(dice, LIMIT) : goodbye(dice)
        const behind = dice.chance(0.5) ? [goodFrames(dice, 'behind').bytes, dice.bytes(20)] : []
        const connection = await upgrade(dice, door)
        await connection.say(Buffer.concat(good.map(({ bytes }) => bytes)))
        await connection.until(`answers to ${show(Buffer.concat(good.map(({ bytes }) => bytes)))}`, (told) =>
          isServed(good, told),
        )
        await connection.say(Buffer.concat([last.bytes, ...behind]))
        // Whoever hangs up before the goodbye is not told any: it waits for its turn like an answer.
        if (!last.lenient) await connection.until(`a goodbye to ${show(last.bytes, 300)}`, isOver)
        judge(good, last, await connection.end())
      }))

    it('end nothing but their own connection when they are cut off, damaged, or nothing at all', () =>
      tryCases(`damaged frames on ${door}`, CASES, async (dice) => {
        const whole = Buffer.concat(
          dice.times(
            dice.between(1, 4),
            (n) => dice.pick([goodFrames(dice, `id-${n}`), badFrames(dice, LIMIT)]).bytes,
          ),
        )
        const bytes = dice.pick([
          () => whole.subarray(0, dice.below(whole.length)),
          () => damaged(dice, whole),
          () => dice.bytes(dice.between(1, 2000)),
        ])()
        const connection = await upgrade(dice, door)
        await connection.say(bytes)
        const { code, texts } = await connection.end()
        if (code !== undefined) codes.add(code)
        for (const text of texts) JSON.parse(text)
      }))
  })
}

describe('bytes behind a handshake', () => {
  it('have ended connections with every code there is for a fault', () => {
    if (process.env.FUZZ_CASE !== undefined) return // one case alone does not
    assert.deepEqual(
      [1002, 1003, 1007, 1009, 1000, 1005, 4999].filter((code) => !codes.has(code)),
      [],
    )
  })

  it('leave the others served, whatever floods of pings and fragments there are, read or unread', async (t) => {
    const neighbour = await webSocket(t, daemon, {
      door: 'tcp',
      headers: { Authorization: `Bearer ${token}` },
    })
    const floods = [
      frame(OPCODE.ping, Buffer.alloc(125)),
      frame(OPCODE.ping, Buffer.alloc(0)),
      frame(OPCODE.text, Buffer.alloc(0), { fin: false }),
    ]
    const endless = frame(OPCODE.continuation, Buffer.alloc(0), { fin: false })
    for (const flood of floods) {
      const socket = (await shakeHands('tcp', false)).on('error', () => {})
      socket.pause()
      socket.write(flood)
      const many = Buffer.concat(Array(20_000).fill(flood === floods[2] ? endless : flood))
      for (let n = 0; n < 5 && socket.writable; n++) {
        socket.write(many)
        assert.ok((await neighbour.call('Auth.WhoAmI')).result !== undefined)
      }
      socket.destroy()
    }
    neighbour.ws.close()
    await neighbour.closed
  })

  it('leave the daemon as it was', () => assertRecovered(daemon, token, openBefore))
})

interface Connection {
  say(bytes: Buffer): Promise<void>
  until(what: string, holds: (told: Told) => boolean): Promise<void>
  /** Says no more; all that was told. */
  end(): Promise<Told>
}

async function upgrade(dice: Dice, door: 'unix' | 'tcp'): Promise<Connection> {
  const socket = await shakeHands(door, dice.chance(0.5))
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const heard = hear(socket)
  return {
    async say(bytes) {
      for (const piece of dice.cut(bytes, dice.pick([1, 1, 3]))) {
        if (socket.writable) socket.write(piece)
        await nextTurn()
      }
    },
    until: (what, holds) => until(what, () => holds(readFrames(Buffer.concat(chunks)))),
    async end() {
      socket.end()
      return readFrames((await heard).bytes)
    },
  }
}

async function shakeHands(door: 'unix' | 'tcp', withToken: boolean): Promise<Socket> {
  const socket = open(daemon, door)
  const lines = [
    'GET /api/ HTTP/1.1',
    `Host: localhost:${daemon.port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
  ]
  const credential = withToken ? [`Authorization: Bearer ${token}`] : []
  const key = ['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', 'Sec-WebSocket-Version: 13']
  socket.write(`${[...lines, ...key, ...credential].join('\r\n')}\r\n\r\n`)
  const [first] = (await once(socket, 'data')) as [Buffer]
  // A heartbeat may come in the same packet.
  const end = first.indexOf('\r\n\r\n') + 4
  assert.match(first.toString('latin1', 0, end), /^HTTP\/1\.1 101 [\s\S]*\r\n\r\n$/)
  if (first.length > end) socket.unshift(first.subarray(end))
  return socket
}

function isServed(good: readonly Said[], { texts, pongs }: Told): boolean {
  return (
    texts.length >= good.flatMap(({ ids }) => ids).length &&
    pongs.length >= good.flatMap(({ pings }) => pings).length
  )
}

function isOver({ code }: Told): boolean {
  return code !== undefined
}

function judge(good: readonly Said[], last: Said, { texts, pongs, code }: Told): void {
  const lenient = last.lenient === true
  const answered = texts.map((text) => String(JSON.parse(text).id))
  // Random bytes behind what is put up with may be a text themselves, which is no JSON.
  const behind = lenient ? ['bad', 'behind', 'behind-ü😀', 'null'] : []
  const expected = good.flatMap(({ ids }) => ids)
  assert.deepEqual(answered.filter((id) => !behind.includes(id)).sort(), expected.sort(), 'who is answered')
  const pings = good.flatMap((said) => said.pings)
  assert.deepEqual(pongs.slice(0, pings.length), pings, 'pongs')
  if (lenient) return
  assert.equal(pongs.length, pings.length, 'pongs behind the end')
  assert.ok(
    code !== undefined && last.ends?.includes(code),
    `${code} instead of ${last.ends} for ${show(last.bytes, 300)}`,
  )
  codes.add(code)
}

function damaged(dice: Dice, whole: Buffer): Buffer {
  const bytes = Buffer.from(whole)
  for (let left = dice.between(1, 6); left > 0; left--) bytes[dice.below(bytes.length)] = dice.below(256)
  return bytes
}
