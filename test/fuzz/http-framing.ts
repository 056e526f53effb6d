import type { Dice } from './dice.ts'

/**
 * What may come behind a request on its connection: another one, nothing that is ever answered, or either, where RFC
 * 9112 leaves it to the server.
 */
export type Sequel = 'request' | 'nothing' | 'either'

/** How a request's content is delimited. */
export interface Framing {
  /** Field lines, without their ends. */
  readonly fields: readonly string[]
  /** Bytes, one for each character. */
  readonly content: string
  readonly sequel: Sequel
}

/** A framing of a call's text. `hidden` is a whole request of its own, for the content: it must never be answered. */
export function frame(dice: Dice, call: string, hidden: string): Framing {
  const content = dice.pick([call, call, call, `\r\n${call}\r\n\r\n`, hidden, `${call}\r\n${hidden}`])
  const kind = dice.below(10)
  if (kind < 4) return byLength(dice, content)
  if (kind < 7) return byChunks(dice, content, hidden)
  return kind < 8 ? doubtful(dice, content) : broken(dice, content, hidden)
}

function byLength(dice: Dice, content: string): Framing {
  const size = content.length
  const field = dice.pick([
    `Content-Length: ${size}`,
    `content-length:${size}`,
    `CONTENT-LENGTH: \t ${size} \t`,
    `Content-Length: 000${size}`,
    `Transfer_Encoding: chunked\r\nContent-Length: ${size}`,
    `X-Transfer-Encoding: chunked\r\nContent-Length: ${size}`,
    `Transfer-Encodin: chunked\r\nContent-Length: ${size}\r\nContent-Lengt: 0`,
  ])
  return { fields: [field], content, sequel: 'request' }
}

function byChunks(dice: Dice, content: string, hidden: string): Framing {
  const name = dice.pick(['Transfer-Encoding: ', 'transfer-encoding:', 'TRANSFER-ENCODING: \t'])
  const coding = dice.pick(['chunked', 'Chunked', 'CHUNKED', 'chunked \t'])
  const trailers = dice.pick([
    '',
    '',
    'X: y\r\n',
    'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
    'Host: b\r\n',
    `X: ${hidden.split('\r\n')[0]}\r\n`,
  ])
  return {
    fields: [name + coding],
    content: `${chunks(dice, content)}0\r\n${trailers}\r\n`,
    sequel: 'request',
  }
}

/** Without the last one. */
function chunks(dice: Dice, content: string): string {
  return dice
    .cut(Buffer.from(content, 'latin1'), dice.between(1, 6))
    .filter((piece) => piece.length > 0)
    .map((piece) => `${size(dice, piece.length)}\r\n${piece.toString('latin1')}\r\n`)
    .join('')
}

function size(dice: Dice, length: number): string {
  const hex = length.toString(16)
  const digits = dice.pick([hex, hex.toUpperCase(), `000${hex}`])
  return digits + dice.pick(['', '', '', ';a', ';a=b', ';a="b"', ';0=0;b=c'])
}

/** What one server reads in one way, and another refuses. The content stays the content. */
function doubtful(dice: Dice, content: string): Framing {
  const length = content.length
  const chunked = `${chunks(dice, content)}0\r\n\r\n`
  const [fields, bytes] = dice.pick<[string[], string]>([
    [[`Content-Length: ${length}`, `Content-Length: ${length}`], content],
    [[`Content-Length: ${length}, ${length}`], content],
    [[`Content-Length:\r\n ${length}`], content],
    [['Transfer-Encoding: chunked, chunked'], chunked],
    [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], chunked],
    [['Transfer-Encoding: gzip, chunked'], chunked],
    [['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], chunked],
    [['Transfer-Encoding:\r\n chunked'], chunked],
    [['Transfer-Encoding: , chunked'], chunked],
  ])
  return { fields, content: bytes, sequel: 'either' }
}

/** What two servers could read in two ways. Behind it, where one of them would look for it, is the hidden request. */
function broken(dice: Dice, content: string, hidden: string): Framing {
  const length = content.length
  const fields = (...lines: string[]) => lines
  const make = dice.pick<() => [string[], string]>([
    () => [
      fields('Transfer-Encoding: chunked', `Content-Length: ${5 + hidden.length}`),
      `0\r\n\r\n${hidden}`,
    ],
    () => [
      fields(`Content-Length: ${5 + hidden.length}`, 'Transfer-Encoding: chunked'),
      `0\r\n\r\n${hidden}`,
    ],
    () => [fields('Content-Length: 3', 'Transfer-Encoding: chunked'), `${chunks(dice, content)}0\r\n\r\n`],
    () => [fields('Content-Length: 0', `Content-Length: ${hidden.length}`), hidden],
    () => [fields(`Content-Length: ${hidden.length}`, 'Content-Length: 0'), hidden],
    () => [fields(`Content-Length: 0, ${hidden.length}`), hidden],
    () => [fields(`Content-Length: ${dice.pick(BAD_LENGTHS)}`), hidden],
    () => [fields(`Content-Length : ${length}`), content + hidden],
    () => [
      fields('Transfer-Encoding : chunked', `Content-Length: ${5 + hidden.length}`),
      `0\r\n\r\n${hidden}`,
    ],
    () => [fields(`Transfer-Encoding: ${dice.pick(BAD_CODINGS)}`), hidden],
    () => [fields(`Transfer-Encoding: ${dice.pick(BAD_CODINGS)}`), `0\r\n\r\n${hidden}`],
    () => [fields('Transfer-Encoding: chunked', 'Transfer-Encoding: identity'), `0\r\n\r\n${hidden}`],
    () => [fields('Transfer-Encoding: chunked'), `${dice.pick(BAD_SIZES)}\r\nhello\r\n0\r\n\r\n${hidden}`],
    () => [fields('Transfer-Encoding: chunked'), `5\r\nhello${dice.pick(BAD_ENDS)}0\r\n\r\n${hidden}`],
    () => [fields('Transfer-Encoding: chunked'), `5;a\rb\r\nhello\r\n0\r\n\r\n${hidden}`],
    () => [fields('Transfer-Encoding: chunked'), `0\r\n${hidden}`],
    () => [fields('Transfer-Encoding: chunked'), `0\r\nno colon\r\n\r\n${hidden}`],
  ])
  const [lines, bytes] = make()
  return { fields: lines, content: bytes, sequel: 'nothing' }
}

const BAD_LENGTHS = [
  '+0',
  '-0',
  '-1',
  '0x0',
  '0 0',
  '1e1',
  '0.0',
  '"0"',
  '\x000',
  '0\x00',
  '99999999999999999999',
  'a',
]
const BAD_CODINGS = [
  'identity',
  'chunked, identity',
  'xchunked',
  'chunkedx',
  'chunked;q=1',
  '"chunked"',
  'chunked,gzip',
  '\x0bchunked',
  'chun ked',
  '\x00chunked',
  'chunked\x00',
]
const BAD_SIZES = [
  '',
  'g',
  '-5',
  '+5',
  '0x5',
  '5 5',
  ' 5',
  '10000000000000005',
  'fffffffffffffffff',
  '5\x00',
  '\x005',
  '5,5',
]
const BAD_ENDS = ['', 'X\r\n', 'XX', '\r', '\rX', ' \r\n']
