import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { Failure } from '../protocol/failures.ts'

/** Whether a request asks for a WebSocket (RFC 6455 section 4.1); others go on as if they had not asked for anything. */
export function wantsWebSocket({ method, httpVersion, headers }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion === '1.1' && tokens(headers.upgrade).includes('websocket')
}

/** What ws would refuse as text, refused as everything here is (RFC 6455 sections 4.2.1 and 4.4). */
export function refuseHandshake({ headers }: IncomingMessage): void {
  const version = headers['sec-websocket-version']
  if (version !== '13' && version !== '8') {
    throw new Failure('invalid_request', 'Only version 13 of the WebSocket protocol is understood.', {
      http: 'upgrade_required',
      headers: { 'Sec-WebSocket-Version': '13', Upgrade: 'websocket' },
    })
  }
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) {
    throw new Failure('invalid_request', 'The Sec-WebSocket-Key is missing or malformed.')
  }
  headers.upgrade = 'websocket' // chosen from what was offered
}

const OF_THE_UPGRADE = ['upgrade', 'http2-settings']

/**
 * A server may ignore an Upgrade it does not know (RFC 9110 section 7.8), and should: Java's HTTP client offers h2c with
 * its first request. Node hands every such request over as raw bytes, so it is put back in front, without the offer.
 */
export function ignoreUpgrade(server: Server, req: IncomingMessage, socket: Socket, rest: Buffer): void {
  const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`]
  for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at] as string
    const value = withoutOffer(name.toLowerCase(), req.rawHeaders[at + 1] as string)
    if (value !== undefined) lines.push(`${name}: ${value}`)
  }
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  socket.unshift(Buffer.concat([head, rest]))
  server.emit('connection', socket)
}

function withoutOffer(name: string, value: string): string | undefined {
  if (OF_THE_UPGRADE.includes(name)) return undefined
  if (name !== 'connection') return value
  const kept = tokens(value).filter((token) => !OF_THE_UPGRADE.includes(token))
  return kept.length === 0 ? undefined : kept.join(', ')
}

function tokens(value: string | undefined): string[] {
  return (value ?? '')
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
}
