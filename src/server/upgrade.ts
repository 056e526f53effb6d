import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { asFailure, Failure } from '../protocol/failures.ts'
import { tooManyWait } from './crowd.ts'
import { type Endpoints, endpointOf } from './endpoints.ts'
import { notFound } from './http-failures.ts'
import { afterLatest, guard } from './in-flight.ts'
import type { Connection, Origin } from './origin.ts'
import { sendRaw } from './replies.ts'
import { originOf, refuseBadHost } from './request.ts'
import { isApi, readTarget } from './target.ts'

/** Bytes with one more offer to upgrade, and behind it: for each that is put back Node reads on, however much there is. */
const MOST_PUT_BACK = 256 * 1024

interface Parts {
  readonly endpoints: Endpoints
  readonly connectionOf: (socket: Socket) => Connection | undefined
  readonly onWebSocket: (req: IncomingMessage, socket: Socket, head: Buffer, origin: Origin) => void
}

/** Offers to speak something else: WebSockets are accepted on the API's path, every other one is ignored. */
export class Upgrades {
  readonly #server: Server
  readonly #parts: Parts

  constructor(server: Server, parts: Parts) {
    this.#server = server
    this.#parts = parts
  }

  take(req: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', ignoreError) // Node has taken its own listener off
    const connection = this.#parts.connectionOf(socket)
    if (connection === undefined) {
      socket.destroy()
      return
    }
    // A proxy asks an endpoint with the headers of whoever asks the proxy: their offers are not for us.
    const isIgnored = !wantsWebSocket(req) || endpointOf(this.#parts.endpoints, req) !== undefined
    if (isIgnored) putBack(req, socket, head) // now: behind the last byte of all nothing can be put back
    connection.switching = true
    guard(connection, socket)
    // Pipelined behind a call: that one's answer would come out between the frames.
    // And on a stack of its own: the bytes at hand may themselves have been put back a moment ago.
    afterLatest(connection, () =>
      setImmediate(() => {
        connection.switching = false
        if (socket.destroyed) return // gone while it waited
        if (isIgnored) this.#goOn(socket)
        else this.#switch(req, socket, head, connection)
      }),
    )
  }

  /** As if nothing had been offered. */
  #goOn(socket: Socket): void {
    if (socket.readableLength > MOST_PUT_BACK) {
      sendRaw(socket, tooManyWait())
      return
    }
    socket.off('error', ignoreError) // HTTP puts its own back, and one for each offer would pile up
    this.#server.emit('connection', socket)
    socket.resume()
  }

  #switch(req: IncomingMessage, socket: Socket, head: Buffer, connection: Connection): void {
    try {
      const target = readTarget(req.url ?? '/')
      refuseBadHost(req)
      if (!isApi(target)) throw notFound('WebSockets are on /api/.')
      refuseHandshake(req)
      this.#parts.onWebSocket(req, socket, head, originOf(req, target, connection, true))
    } catch (thrown) {
      sendRaw(socket, asFailure(thrown))
    }
  }
}

function ignoreError(): void {}

/** Whether a request asks for a WebSocket (RFC 6455 section 4.1); others go on as if they had not asked for anything. */
function wantsWebSocket({ method, httpVersion, headers }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion === '1.1' && tokens(headers.upgrade).includes('websocket')
}

/** What ws would refuse as text, refused as everything here is (RFC 6455 sections 4.2.1 and 4.4). */
function refuseHandshake({ headers }: IncomingMessage): void {
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
function putBack(req: IncomingMessage, socket: Socket, rest: Buffer): void {
  const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`]
  for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at] as string
    const value = withoutOffer(name.toLowerCase(), req.rawHeaders[at + 1] as string)
    if (value !== undefined) lines.push(`${name}: ${value}`)
  }
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  socket.unshift(Buffer.concat([head, rest]))
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
