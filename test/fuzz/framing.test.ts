import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { startDaemon } from '../support/daemon.ts'
import { holds } from '../support/property.ts'
import { open, raw } from '../support/talk.ts'
import { batchText, callText, jsonText, messageText } from './json-texts.ts'
import { expectedFor } from './jsonrpc-model.ts'
import { assertUnharmed } from './unharmed.ts'

const LIMITS = { depth: 64, batch: 1000 }
const daemon = await startDaemon({ after })

/** Tells the daemon that this is no HTTP, which is known from a connection's first byte. */
const GREETING = '{"jsonrpc":"2.0","id":"greeting","method":"nope"}\n'

/** A line's bytes, without its end: a message, or what is no UTF-8 at all. */
const line = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(callText, batchText).map(toLine) },
  { weight: 2, arbitrary: messageText.map(toLine) },
  { weight: 1, arbitrary: jsonText.map(toLine) },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '\t \r', ' \t').map(toLine) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes.filter(isNoEnd))),
  },
)

function toLine(text: string): Buffer {
  return Buffer.from(text.replaceAll('\n', ' '))
}

function isNoEnd(byte: number): boolean {
  return byte !== 0x0a
}

interface Spoken {
  readonly lines: readonly Buffer[]
  readonly bytes: Buffer
}

/** What one client says: lines with either kind of end, the last one perhaps with none. */
const spoken: fc.Arbitrary<Spoken> = fc
  .tuple(
    fc.array(fc.tuple(line, fc.constantFrom('\n', '\n', '\r\n')), { minLength: 1, maxLength: 8 }),
    fc.boolean(),
  )
  .map(([pairs, isEnded]) => {
    const pieces = pairs.flatMap(([text, end]) => [text, Buffer.from(end)])
    const said = Buffer.concat(isEnded ? pieces : pieces.slice(0, -1))
    return { lines: pairs.map(([text]) => text), bytes: Buffer.concat([Buffer.from(GREETING), said]) }
  })

/** Where to cut: mostly a few places, sometimes between any two bytes. */
const cuts = fc.oneof(
  { weight: 6, arbitrary: fc.array(fc.nat(), { maxLength: 8 }) },
  { weight: 1, arbitrary: fc.constant('everywhere' as const) },
)

function pieces(bytes: Buffer, at: readonly number[] | 'everywhere'): Buffer[] {
  if (at === 'everywhere' && bytes.length < 400) return [...bytes].map((byte) => Buffer.from([byte]))
  const places = at === 'everywhere' ? [bytes.length >> 1] : at.map((place) => place % bytes.length)
  const edges = [0, ...places.sort((a, b) => a - b), bytes.length]
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge))
}

/** Sends piece by piece, each in a turn of its own, and returns all that came back. */
async function converse(chunks: readonly Buffer[]): Promise<string> {
  const connection = open(daemon)
  let text = ''
  connection.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const ended = once(connection, 'end')
  for (const chunk of chunks) {
    if (chunk.length > 0) await new Promise((resolve) => connection.write(chunk, resolve))
    await nextTurn()
  }
  connection.end()
  await ended
  connection.destroy()
  return text
}

/** Answers in any order: those of batches come a turn later than others. */
function answers(text: string): string[] {
  return text.split('\n').filter(Boolean).sort()
}

/** How many answers lines are due. */
function countDue(lines: readonly Buffer[]): number {
  const due = lines.filter((bytes) => {
    const text = bytes.toString('utf8')
    if (!Buffer.from(text).equals(bytes)) return true
    return !/^[ \t\r]*$/.test(text) && expectedFor(text, LIMITS).due.length > 0
  })
  return due.length
}

describe('lines of JSON on a Unix socket', () => {
  it('are answered alike, however they are cut', async () => {
    await holds(
      fc.asyncProperty(spoken, cuts, async ({ lines, bytes }, at) => {
        const whole = answers(await raw(daemon, bytes))
        assert.equal(whole.length, 1 + countDue(lines))
        assert.deepEqual(answers(await converse(pieces(bytes, at))), whole)
      }),
      150,
    )
    await assertUnharmed(daemon)
  })

  it('are each answered to who has sent them, however many talk at once', async () => {
    await holds(
      fc.asyncProperty(fc.array(fc.tuple(spoken, cuts), { minLength: 2, maxLength: 6 }), async (clients) => {
        const alone: string[][] = []
        for (const [{ bytes }] of clients) alone.push(answers(await raw(daemon, bytes)))
        const together = await Promise.all(clients.map(([{ bytes }, at]) => converse(pieces(bytes, at))))
        assert.deepEqual(together.map(answers), alone)
      }),
      40,
    )
    await assertUnharmed(daemon)
  })
})
