import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { asFailure, Failure } from '../protocol/failures.ts'
import { after } from '../protocol/maybe.ts'
import { type BodyTaker, readBody } from './body.ts'
import { mayWait } from './crowd.ts'
import { EndpointServing } from './endpoint-serving.ts'
import { type Endpoints, endpointOf } from './endpoints.ts'
import type { Exchange } from './exchange.ts'
import { serveHealth } from './health.ts'
import { clientFailure, notFound, UNKNOWN_EXPECTATION, wrongVerb } from './http-failures.ts'
import { whenFree } from './in-flight.ts'
import type { Current, Limits } from './limits.ts'
import type { Connection, Origin } from './origin.ts'
import { refuseBytes, sendFailure, sendReply } from './replies.ts'
import { isZabbixContent, originOf, refuseBadHost, refuseContent } from './request.ts'
import { isApi, readTarget, type Target } from './target.ts'
import { Upgrades } from './upgrade.ts'
import type { ZabbixDialect } from './zabbix.ts'

/** How often Node looks for requests that take too long, in milliseconds: the precision of the time limits. */
const TIMEOUT_CHECK_MS = 1_000

export interface HttpParts {
  readonly exchange: Exchange
  readonly zabbix: ZabbixDialect
  readonly endpoints: Endpoints
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
      keepAliveTimeout: 0, // another timer, set and cleared with each request; `timeout` below is enough
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      requireHostHeader: false, // answered here, with a body
      joinDuplicateHeaders: true, // so that a second Authorization or Host is seen, not dropped
    })
    this.server.maxHeadersCount = 0 // beyond 2,000 Node drops fields silently, a forwarding header among them
    this.server.timeout = limits.idle // between requests, and where an answer is not read
    // A client that has said all it wants to (nc, a pipe) still gets its answer.
    Object.assign(this.server, { httpAllowHalfOpen: true })
    this.server.closeIdleConnections = () => {} // close() would cut off answers that are just being read
    this.server.on('request', (req, res) => this.#serve(req, res))
    this.server.on('checkContinue', (req, res) => this.#serve(req, res, () => res.writeContinue()))
    this.server.on('checkExpectation', (req, res) => this.#refuseExpectation(req, res))
    const upgrades = new Upgrades(this.server, parts)
    this.server.on('upgrade', (req, socket, head) => upgrades.take(req, socket as Socket, head))
    this.server.on('connect', (_req, socket) => this.#refuse(socket as Socket, wrongVerb('POST')))
    this.server.on('clientError', (error, socket) => this.#clientError(error, socket as Socket))
  }

  /** A proxy asks an endpoint with the headers of whoever asks the proxy: their expectations are not for us. */
  #refuseExpectation(req: IncomingMessage, res: ServerResponse): void {
    const connection = this.#parts.connectionOf(req.socket)
    if (connection !== undefined) connection.latest = res // or a fault in its body is answered as another's
    if (endpointOf(this.#parts.endpoints, req) !== undefined) this.#serve(req, res)
    else sendFailure(req, res, UNKNOWN_EXPECTATION)
  }

  #serve(req: IncomingMessage, res: ServerResponse, sendContinue?: () => void): void {
    const connection = this.#parts.connectionOf(req.socket)
    if (connection === undefined) {
      this.#fail(req, res, new Failure('unavailable', 'The connection is closing.'))
      return
    }
    connection.latest = res
    const goOn = () => this.#route(req, res, connection, sendContinue)
    if (connection.known) {
      connection.commons.pass()
      goOn()
    } else if (mayWait(connection, req, res)) this.#whenFree(res, connection, goOn)
  }

  #route(req: IncomingMessage, res: ServerResponse, connection: Connection, sendContinue?: () => void): void {
    try {
      const target = readTarget(req.url ?? '/')
      refuseBadHost(req)
      if (target.path === ZABBIX_PATH)
        this.#serveZabbix(req, res, originOf(req, target, connection, true), sendContinue)
      else if (isApi(target)) this.#serveCall(req, res, originOfCall(req, target, connection), sendContinue)
      else if (target.path === '/healthz') serveHealth(req, res, true)
      else if (target.path === '/readyz') serveHealth(req, res, this.#parts.ready())
      else this.#serveEndpoint(req, res, target, connection, sendContinue)
    } catch (thrown) {
      this.#fail(req, res, asFailure(thrown))
    }
  }

  /** Zabbix looks at no verb but OPTIONS, and at the content type before anything else. */
  #serveZabbix(req: IncomingMessage, res: ServerResponse, origin: Origin, sendContinue?: () => void): void {
    if (req.method === 'OPTIONS') {
      res.writeHead(200, { 'Content-Length': 0 }).end()
      return
    }
    if (!isZabbixContent(req)) {
      res.writeHead(412, { 'Content-Length': 0 }).end()
      return
    }
    this.#invite(req, sendContinue)
    const answer = async (text: string) => {
      const body = await this.#parts.zabbix.answer(text, origin)
      sendReply(res, { status: 200, body }, origin)
    }
    // A body that is not UTF-8 is no JSON either: the dialect has words for that.
    this.#read(req, res, origin, { take: (text) => void answer(text), refuse: () => void answer('') })
  }

  /** Who asks before sending a body (Expect: 100-continue) is told to go on, unless it is known to be too large. */
  #invite({ headers }: IncomingMessage, sendContinue?: () => void): void {
    if (Number(headers['content-length'] ?? 0) <= this.#parts.limits().body) sendContinue?.()
  }

  #serveCall(req: IncomingMessage, res: ServerResponse, origin: Origin, sendContinue?: () => void): void {
    this.#invite(req, sendContinue)
    this.#read(req, res, origin, {
      take: (text) =>
        void after(this.#parts.exchange.answer(text, origin), (reply) => sendReply(res, reply, origin)),
      refuse: (failure) => this.#fail(req, res, failure),
    })
  }

  #serveEndpoint(
    req: IncomingMessage,
    res: ServerResponse,
    target: Target,
    connection: Connection,
    sendContinue?: () => void,
  ): void {
    const endpoint = this.#parts.endpoints.get(target.path)
    if (endpoint === undefined) throw notFound('There is nothing here; calls go to POST /api/.')
    const serving = new EndpointServing(endpoint, req, res, target, connection)
    const origin = serving.begin()
    if (origin === undefined) return
    if (!endpoint.takesBody) {
      this.#whenFree(res, connection, () => serving.answer('', origin))
      return
    }
    this.#invite(req, sendContinue)
    this.#read(req, res, origin, {
      take: (text) => serving.answer(text, origin),
      refuse: (failure) => serving.refuse(failure),
    })
  }

  /** A body is begun, and taken, only while the connection is not busy: one that is being read keeps Node reading on. */
  #read(req: IncomingMessage, res: ServerResponse, origin: Origin, { take, refuse }: BodyTaker): void {
    const { connection } = origin
    const taker = { take: (text: string) => this.#whenFree(res, connection, () => take(text)), refuse }
    this.#whenFree(res, connection, () =>
      readBody(req, res, { connection, limit: this.#parts.limits().body }, taker),
    )
  }

  /** At once where there is nothing to wait for: on this path each promise shows. Strangers wait for their turn as well. */
  #whenFree(res: ServerResponse, connection: Connection, goOn: () => void): void {
    const { socket } = res.req
    const { in_flight } = this.#parts.limits()
    // Where its body broke off, or was malformed, while it waited, it is refused: a second answer would take that one with it.
    const unlessRefused = () => {
      if (!res.headersSent) goOn()
    }
    if (connection.known) whenFree(connection, socket, in_flight, unlessRefused)
    else whenFree(connection, socket, in_flight, () => connection.commons.serve(connection, unlessRefused))
  }

  #fail(req: IncomingMessage, res: ServerResponse, failure: Failure): void {
    if (failure.name === 'internal') this.#parts.log.error({ err: failure.cause }, 'a request failed')
    if (res.headersSent) res.destroy()
    else sendFailure(req, res, failure)
  }

  #clientError(error: NodeJS.ErrnoException, socket: Socket): void {
    // What is wrong with the bytes is answered; what is wrong with the connection (EPIPE, ECONNRESET) has nobody to answer to.
    if (/^(HPE_|ERR_HTTP_)/.test(error.code ?? '')) this.#refuse(socket, clientFailure(error.code))
    else socket.destroy()
  }

  #refuse(socket: Socket, failure: Failure): void {
    const connection = this.#parts.connectionOf(socket)
    if (connection === undefined) socket.destroy()
    else refuseBytes(socket, connection, failure)
  }
}

const ZABBIX_PATH = '/api_jsonrpc.php'

function originOfCall(req: IncomingMessage, target: Target, connection: Connection): Origin {
  if (req.method !== 'POST') throw wrongVerb('POST')
  refuseContent(req)
  return originOf(req, target, connection, false)
}
