import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { asFailure, Failure } from '../protocol/failures.ts'
import { readBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import type { Current, Limits } from './limits.ts'
import { whyNotLocal } from './local.ts'
import type { Connection, Origin } from './origin.ts'
import { sendFailure, sendRaw, sendReply } from './replies.ts'
import { readTarget, type Target } from './target.ts'
import { ignoreUpgrade, wantsWebSocket } from './upgrade.ts'

/** How often Node looks for requests that take too long, in milliseconds: the precision of the time limits. */
const TIMEOUT_CHECK_MS = 1_000

const CONTENT_TYPE =
  /^application\/(json|json-rpc|jsonrequest)[ \t]*(;[ \t]*charset[ \t]*=[ \t]*"?utf-8"?[ \t]*)?$/i

export interface HttpParts {
  readonly exchange: Exchange
  readonly limits: Current<Limits>
  readonly log: Logger
  /** What is known about a socket, or undefined for one that was not admitted. */
  readonly connectionOf: (socket: Socket) => Connection | undefined
  readonly ready: () => boolean
  /** Takes over an upgrade to WebSocket on the API's path. */
  readonly onWebSocket: (req: IncomingMessage, socket: Socket, head: Buffer, origin: Origin) => void
}

/** HTTP/1.1 on one listener: `POST /api/` for calls, `/healthz` and `/readyz` for whoever keeps watch. */
export function createHttpServer(parts: HttpParts): Server {
  return new HttpDoor(parts).server
}

class HttpDoor {
  readonly server: Server
  readonly #parts: HttpParts

  constructor(parts: HttpParts) {
    this.#parts = parts
    const limits = parts.limits()
    this.server = createServer({
      maxHeaderSize: limits.headers,
      headersTimeout: limits.header_timeout,
      requestTimeout: Math.max(limits.body_timeout, limits.header_timeout),
      keepAliveTimeout: limits.idle,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      requireHostHeader: false, // answered here, with a body
      joinDuplicateHeaders: true, // so that a second Authorization or Host is seen, not dropped
    })
    this.server.maxHeadersCount = 0 // beyond 2,000 Node drops fields silently, a forwarding header among them
    this.server.timeout = limits.idle // readers that never read
    this.server.on('request', (req, res) => void this.#serve(req, res))
    this.server.on('checkContinue', (req, res) => void this.#serve(req, res))
    this.server.on('checkExpectation', (req, res) => {
      sendFailure(
        req,
        res,
        new Failure('invalid_request', 'Only "Expect: 100-continue" is understood.', { http: 'expectation' }),
      )
    })
    this.server.on('upgrade', (req, socket, head) => this.#upgrade(req, socket as Socket, head))
    this.server.on('connect', (_req, socket) => sendRaw(socket as Socket, wrongVerb('POST')))
    this.server.on('clientError', (error, socket) => this.#clientError(error, socket as Socket))
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const target = readTarget(req.url ?? '/')
      refuseBadHost(req)
      if (target.path === '/api/' || target.path === '/api') await this.#serveCall(req, res, target)
      else if (target.path === '/healthz') this.#serveHealth(req, res, true)
      else if (target.path === '/readyz') this.#serveHealth(req, res, this.#parts.ready())
      else
        throw new Failure('invalid_request', 'There is nothing here; calls go to POST /api/.', {
          http: 'not_found',
        })
    } catch (thrown) {
      this.#fail(req, res, asFailure(thrown))
    }
  }

  async #serveCall(req: IncomingMessage, res: ServerResponse, target: Target): Promise<void> {
    if (req.method !== 'POST') throw wrongVerb('POST')
    const connection = this.#connection(req.socket)
    const { limits, exchange } = this.#parts
    if (connection.inFlight >= limits().in_flight)
      throw new Failure('limited', 'Too many calls under way on this connection.')
    refuseContent(req)
    const origin = originOf(req, target, connection, false)
    if (req.headers.expect !== undefined && Number(req.headers['content-length'] ?? 0) <= limits().body)
      res.writeContinue()
    const text = await readBody(req, res, limits().body)
    if (text === undefined) return
    connection.inFlight++
    const reply = await exchange.answer(text, origin)
    connection.inFlight--
    if (!res.destroyed) sendReply(res, reply)
  }

  #connection(socket: Socket): Connection {
    const connection = this.#parts.connectionOf(socket)
    if (connection === undefined) throw new Failure('unavailable', 'The connection is closing.')
    return connection
  }

  #serveHealth(req: IncomingMessage, res: ServerResponse, well: boolean): void {
    if (req.method !== 'GET' && req.method !== 'HEAD') throw wrongVerb('GET, HEAD')
    res.writeHead(well ? 200 : 503, { 'Cache-Control': 'no-store', 'Content-Length': 0 }).end()
  }

  #fail(req: IncomingMessage, res: ServerResponse, failure: Failure): void {
    if (failure.name === 'internal') this.#parts.log.error({ err: failure.cause }, 'a request failed')
    if (res.headersSent) {
      res.destroy()
      return
    }
    sendFailure(req, res, failure)
  }

  #upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => {}) // Node has taken its own listener off
    try {
      const connection = this.#connection(socket)
      if (connection.inFlight > 0) {
        socket.destroy() // pipelined behind a call whose answer would come out between the frames
        return
      }
      if (!wantsWebSocket(req)) {
        ignoreUpgrade(this.server, req, socket, head)
        return
      }
      const target = readTarget(req.url ?? '/')
      refuseBadHost(req)
      if (target.path !== '/api/' && target.path !== '/api') {
        throw new Failure('invalid_request', 'WebSockets are on /api/.', { http: 'not_found' })
      }
      this.#parts.onWebSocket(req, socket, head, originOf(req, target, connection, true))
    } catch (thrown) {
      sendRaw(socket, asFailure(thrown))
    }
  }

  /** What could not be parsed, or took too long. With an answer under way there is no place for another: just end. */
  #clientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#parts.connectionOf(socket)
    if (connection === undefined || connection.inFlight > 0 || error.code === 'ECONNRESET') socket.destroy()
    else sendRaw(socket, clientFailure(error.code))
  }
}

function clientFailure(code: string | undefined): Failure {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Failure('invalid_request', "The request's header is too large.", { http: 'headers' })
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Failure('invalid_request', 'The chunk extensions are too large.', { http: 'too_large' })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Failure('invalid_request', 'The request took too long to arrive.', { http: 'too_slow' })
    default:
      return new Failure('invalid_request', 'This is not a valid HTTP request.')
  }
}

function wrongVerb(allow: string): Failure {
  return new Failure('invalid_request', `Only ${allow} is understood here.`, {
    http: 'wrong_verb',
    headers: { Allow: allow },
  })
}

/** RFC 9112 section 3.2: exactly one Host in HTTP/1.1. With joined duplicates a second one shows as a comma. */
function refuseBadHost(req: IncomingMessage): void {
  const { host } = req.headers
  if (host === undefined ? req.httpVersion === '1.1' : host.includes(',')) {
    throw new Failure('invalid_request', 'A request has exactly one Host.')
  }
}

/** Only JSON, as itself: no page can send that elsewhere without a preflight, and none is granted (pitfall 3). */
function refuseContent({ headers }: IncomingMessage): void {
  if (!CONTENT_TYPE.test(headers['content-type'] ?? '')) {
    throw new Failure('invalid_request', 'Send "Content-Type: application/json", in UTF-8.', {
      http: 'content_type',
    })
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new Failure('invalid_request', 'Send the body as it is, without a Content-Encoding.', {
      http: 'content_type',
    })
  }
}

function originOf(
  req: IncomingMessage,
  target: Target,
  connection: Connection,
  tokenOverrides: boolean,
): Origin {
  const { authorization } = req.headers
  if (authorization?.includes(',') && hasTwoAuthorizations(req)) {
    throw new Failure('invalid_request', 'Send one Authorization header.')
  }
  const claims = { headers: req.headers, authority: target.authority, port: req.socket.localPort }
  return { connection, authorization, tokenOverrides, notLocal: () => whyNotLocal(connection.peer, claims) }
}

function hasTwoAuthorizations({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === 'authorization').length > 1
}
