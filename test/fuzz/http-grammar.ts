import { randomUUID } from 'node:crypto'
import type { Dice } from './dice.ts'
import { anyField, browserField, type Fields, type Spoils } from './http-fields.ts'
import { frame, type Sequel } from './http-framing.ts'
import { startLine } from './http-start.ts'

/** Where requests go, and what they may carry. */
export interface Setting {
  readonly door: 'unix' | 'tcp' | 'remote'
  /** What does not begin like HTTP is newline-delimited JSON there. */
  readonly onUnixSocket: boolean
  readonly port: number
  /** A token that is valid. */
  readonly token: string
}

/** A request, and what an honest server may make of it. */
export interface Written {
  readonly bytes: Buffer
  readonly verb: string
  /** Of the call in its content; the answer repeats it. */
  readonly id: string
  readonly sequel: Sequel
  readonly mayMint: boolean
  readonly mayAnswerWho: boolean
  readonly maySwitch: boolean
}

/** No answer may have it: only requests that are inside another one carry it. */
export const HIDDEN = `hidden-${randomUUID()}`

const RANK: Record<Spoils, number> = { nothing: 0, minting: 1, everything: 2 }

/** A request of the seeded grammar. `id` is unlike those of all others on the connection. */
export function writeRequest(dice: Dice, setting: Setting, id: string): Written {
  if (dice.chance(0.06)) return offerWebSocket(dice, setting, id)
  if (dice.chance(0.03)) return oversized(dice, setting, id)
  const hidden = hiddenRequest(dice, setting)
  const method = dice.pick([
    'Auth.CreateApiToken',
    'Auth.CreateApiToken',
    'Auth.WhoAmI',
    'Auth.WhoAmI',
    'none',
    'token.get',
  ])
  const call = JSON.stringify({
    jsonrpc: '2.0',
    method,
    params: method === 'Auth.CreateApiToken' ? { ttl: 60 } : {},
    id,
  })
  const framing = frame(dice, call, hidden)
  const start = startLine(dice, setting)
  const host = hostLine(dice, setting)
  const authorization = dice.chance(0.5) ? [`Authorization: Bearer ${setting.token}`] : []
  const fields = dice.times(dice.pick([0, 0, 1, 2, 4]), () => fieldFor(dice, setting))
  const lines = [
    ...host.lines,
    ...framing.fields,
    ...(dice.chance(0.8) ? ['Content-Type: application/json'] : []),
    ...authorization,
    ...fields.flatMap((each) => each.lines),
  ]
  const isHost = (line = '') => /^host:/i.test(line)
  // Where there is no other Host, one among the fields spoils no more than to have none does.
  const spoiled = lines.filter(isHost).length > 1 ? fields : fields.filter((each) => !isHost(each.lines[0]))
  const spoils = Math.max(RANK[start.spoils], ...[host, ...spoiled].map((each) => RANK[each.spoils]))
  const credentials = lines.filter((line) => /^authorization ?:/i.test(line)).length
  const sequel = start.mayEnd || fields.some(({ mayEnd }) => mayEnd) ? 'either' : framing.sequel
  return {
    bytes: Buffer.from(`${start.line}\r\n${lines.join('\r\n')}\r\n\r\n${framing.content}`, 'latin1'),
    verb: start.verb,
    id,
    sequel: framing.sequel === 'nothing' ? 'nothing' : sequel,
    mayMint:
      setting.door !== 'remote' && spoils < RANK.minting && framing.sequel !== 'nothing' && credentials < 2,
    mayAnswerWho: spoils < RANK.everything && credentials === 1 && framing.sequel !== 'nothing',
    maySwitch: false,
  }
}

/** Whole, valid, with a credential, and in the place of content. */
function hiddenRequest(dice: Dice, { port, token }: Setting): string {
  const method = dice.pick(['Auth.WhoAmI', 'Auth.CreateApiToken'])
  const body = JSON.stringify({
    jsonrpc: '2.0',
    method,
    params: method === 'Auth.WhoAmI' ? {} : { ttl: 1 },
    id: HIDDEN,
  })
  const head = `Host: localhost:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json`
  return `POST /api/ HTTP/1.1\r\n${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

function fieldFor(dice: Dice, { door, token }: Setting): Fields {
  if (dice.chance(0.1)) {
    const field = browserField(dice)
    return door === 'unix' ? { ...field, spoils: 'nothing' } : field
  }
  return anyField(dice, token)
}

function hostLine(dice: Dice, { door, port }: Setting): Fields {
  if (dice.chance(0.8))
    return {
      lines: [`Host: ${dice.pick(['localhost', '127.0.0.1', 'LOCALHOST', '[::1]'])}:${port}`],
      spoils: 'nothing',
      mayEnd: false,
    }
  const other = dice.pick([
    'a',
    'localhost',
    'localhost.',
    `localhost.:${port}`,
    `127.1:${port}`,
    `[::ffff:127.0.0.1]:${port}`,
    `a@localhost:${port}`,
    '',
    `localhost:0${port}`,
    '\xff',
  ])
  const spoils = door === 'unix' ? 'nothing' : 'minting'
  if (dice.chance(0.2)) return { lines: [], spoils, mayEnd: false }
  return { lines: [`Host: ${other}`], spoils, mayEnd: false }
}

/** Now and then a handshake that is right. */
function offerWebSocket(dice: Dice, { port }: Setting, id: string): Written {
  const key = dice.pick([
    'AAAAAAAAAAAAAAAAAAAAAA==',
    'AAAAAAAAAAAAAAAAAAAAAA==',
    'short',
    '',
    'AAAAAAAAAAAAAAAAAAAAAA=',
    '\xff',
  ])
  const version = dice.pick(['13', '13', '8', '12', '', '13, 8', '9'.repeat(50)])
  const path = dice.pick(['/api/', '/api/', '/', '/healthz', '/auth'])
  const head = [
    `GET ${path} HTTP/1.1`,
    `Host: localhost:${port}`,
    'Connection: Upgrade',
    `Upgrade: ${dice.pick(['websocket', 'WebSocket, h2c'])}`,
  ]
  const lines = [...head, `Sec-WebSocket-Key: ${key}`, `Sec-WebSocket-Version: ${version}`]
  const rest = { verb: 'GET', id, mayMint: false, mayAnswerWho: false }
  const sequel = path === '/api/' ? 'nothing' : 'either'
  const maySwitch = path === '/api/' && /^A{22}==$/.test(key) && (version === '13' || version === '8')
  return { bytes: Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), ...rest, sequel, maySwitch }
}

/** Content beyond the limit, announced or not. */
function oversized(dice: Dice, { port }: Setting, id: string): Written {
  const content = JSON.stringify({
    jsonrpc: '2.0',
    method: 'none',
    id,
    params: ['x'.repeat(dice.between(8193, 40_000))],
  })
  const head = `POST /api/ HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/json\r\n`
  const framed = dice.chance(0.5)
    ? `Content-Length: ${content.length}\r\n\r\n${content}`
    : `Transfer-Encoding: chunked\r\n\r\n${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`
  const rest = { verb: 'POST', id, mayMint: false, mayAnswerWho: false, maySwitch: false }
  return { bytes: Buffer.from(head + framed), sequel: 'nothing', ...rest }
}
