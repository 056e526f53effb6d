import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { LONG } from '../support/property.ts'
import { lines, mint, open, type Response } from '../support/talk.ts'
import { type Dice, tryCases } from './dice.ts'
import { readAnswers } from './http-answers.ts'
import { assertRecovered, descriptors } from './unharmed.ts'
import { sayAll, show } from './wire.ts'

const LIMIT = 10 * 1024
const daemon = await startDaemon({ after }, { config: '[limits]\nframe = "10KiB"\ndepth = 20\n' })
const token = await mint(daemon)
const openBefore = descriptors(daemon)
/** Blanks that the daemon takes while it waits for a byte that tells HTTP from lines. */
const LONGEST_BLANK = 1024
const CASES = LONG ? 40_000 : 400

/** A line, and what it is answered with: the id of a call, the code of a refusal without one, or nothing at all. */
interface Line {
  readonly bytes: Buffer
  readonly answer: string | number | undefined
  /** Nothing behind it is answered. */
  readonly last?: boolean
}

const line = (text: string | Buffer, answer: Line['answer']): Line => ({ bytes: Buffer.from(text), answer })

function goodLine(dice: Dice, id: string): Line {
  const call = (more: object) => JSON.stringify({ jsonrpc: '2.0', method: 'none', ...more })
  const blank = dice.pick(['', ' ', '\t \t', '\r'])
  return dice.pick<() => Line>([
    () => line(blank + call({ id }) + blank, id),
    () => line(call({ id, params: { Token: dice.pick([token, 'x', '\0', null]) } }), id),
    () =>
      line(call({ id, method: dice.pick(['Auth.WhoAmI', '\0', 'ü😀', '__proto__', 'a'.repeat(5000)]) }), id),
    () => line(`[${call({ id })},${call({})}]`, id),
    () => line(call({}), undefined),
    () => line(blank, undefined),
    () => line('\n'.repeat(dice.between(1, 2000)), undefined),
    () => line(call({ id }).padEnd(LIMIT, ' '), id),
  ])()
}

function badLine(dice: Dice, id: string): Line {
  const call = JSON.stringify({ jsonrpc: '2.0', method: 'none', id })
  const utf8 = Buffer.from(
    dice.pick([
      [0xff],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf0, 0x9f, 0x98],
      [0xf4, 0x90, 0x80, 0x80],
      [0xc3],
    ]),
  )
  const at = dice.below(call.length + 1)
  return dice.pick<() => Line>([
    () => line(Buffer.concat([Buffer.from(call.slice(0, at)), utf8, Buffer.from(call.slice(at))]), -32700),
    () => line(`\ufeff${call}`, -32700),
    () => line(`\0${call}`, -32700),
    () => line(`${call}\0`, -32700),
    () => line(`${call}${call}`, -32700),
    () => line(`\u00a0${call}`, -32700),
    () => line(`${call}\x0b`, -32700),
    () => line(call.slice(0, dice.between(1, call.length - 1)), -32700),
    () =>
      line(
        dice.pick(['POST /api/ HTTP/1.1', 'GET / HTTP/1.1\r', 'hello', '{', '"', "{'a':1}", 'NaN', '1,']),
        -32700,
      ),
    () => line(dice.pick(['null', '1', '"a"', 'true', '[]', '{}', '-0', '1e999']), -32600),
    () => line('['.repeat(30) + ']'.repeat(30), -32600),
    () => ({
      ...line(dice.pick(['x', ' ', '{', '\r']).repeat(LIMIT + dice.between(1, 30_000)), -32600),
      last: true,
    }),
  ])()
}

/** On the wire the first line begins with what is no HTTP. */
function stream(dice: Dice): Line[] {
  const first = line('{"jsonrpc":"2.0","method":"none","id":"first"}', 'first')
  const next = dice.times(dice.between(1, 12), (n) => dice.pick([goodLine, badLine])(dice, `id-${n}`))
  return [first, ...next]
}

/** What is answered to those lines of it that have arrived, in no order. */
function expected(all: readonly Line[]): string[] {
  const end = all.findIndex(({ last }) => last)
  const taken = end < 0 ? all : all.slice(0, end + 1)
  return taken.flatMap(({ answer }) => (answer === undefined ? [] : [String(answer)])).sort()
}

function answersOf(text: string): string[] {
  return lines(text)
    .map((message) => (Array.isArray(message) ? (message[0] as Response) : message))
    .map(({ id, error }) => String(id ?? error?.code))
    .sort()
}

/** Whoever still talks when an overlong line ends the connection may lose the answers on the way; nobody else does. */
async function say(dice: Dice, bytes: Buffer, all: readonly Line[]): Promise<string[] | undefined> {
  const { bytes: heard, reset } = await sayAll(open(daemon), dice.cut(bytes, dice.pick([1, 1, 2, 6])))
  assert.ok(!reset || all.some(({ last }) => last), `the connection was reset: ${show(bytes)}`)
  if (!reset && all.some(({ last }) => last)) refusals++
  return reset ? undefined : answersOf(new TextDecoder('utf8', { fatal: true }).decode(heard))
}

/** Overlong lines whose answers arrived. */
let refusals = 0

describe('bytes on the Unix socket that are no HTTP', () => {
  it('are lines, and each of them is answered as it deserves, whatever is on the others', () =>
    tryCases('lines', CASES, async (dice) => {
      const all = stream(dice)
      const bytes = Buffer.concat(all.flatMap((each) => [each.bytes, Buffer.from('\n')]))
      const answers = await say(dice, bytes, all)
      if (answers !== undefined) assert.deepEqual(answers, expected(all), show(bytes))
    }))

  it('are answered as far as they came, with one answer at the most to a line that was cut off', () =>
    tryCases('cut lines', CASES, async (dice) => {
      const all = stream(dice)
      const arrived = dice.below(all.length)
      const whole = Buffer.concat(all.slice(0, arrived).flatMap((each) => [each.bytes, Buffer.from('\n')]))
      const { bytes = Buffer.alloc(0) } = all[arrived] ?? {}
      const cut = bytes.subarray(0, dice.below(bytes.length + 1))
      const answers = await say(dice, Buffer.concat([whole, cut]), all)
      if (answers === undefined) return
      for (const answer of expected(all.slice(0, arrived))) {
        assert.ok(answers.includes(answer), `no ${answer} for ${show(whole)}`)
        answers.splice(answers.indexOf(answer), 1)
      }
      assert.ok(answers.length <= 1, `${answers} besides`)
    }))

  it('are answered in lines of JSON, or in HTTP where they begin with a capital, whatever they are', () =>
    tryCases('any bytes', CASES, async (dice) => {
      const blank = dice.pick(['', '', ' ', '\r\n', '\n\t '.repeat(dice.below(3000))])
      const said = Buffer.concat([Buffer.from(blank), dice.bytes(dice.pick([1, 2, 10, 1000]))])
      const heard = await sayAll(open(daemon), dice.cut(said, dice.pick([1, 3])))
      const text = heard.bytes.toString('utf8')
      const [isHttp, capital] = [text.startsWith('HTTP/'), /^[ \t\r\n]*[A-Z]/.test(said.toString('latin1'))]
      // Behind so many blanks it is not waited for the first byte any more.
      if (blank.length <= LONGEST_BLANK) assert.equal(isHttp, capital, show(said))
      if (isHttp) {
        const { final, partial } = readAnswers(heard.bytes, [])
        assert.deepEqual([final.map(({ status }) => status), partial], [[400], false], show(said))
      } else for (const message of lines(text)) assert.ok('error' in message, show(said))
    }))

  it('are refused in words where a line is too long', () => {
    assert.ok(process.env.FUZZ_CASE !== undefined || refusals > 0)
  })

  it('leave the daemon as it was', () => assertRecovered(daemon, token, openBefore))
})
