import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { type Server, WebSocket, WebSocketServer } from 'ws'
import type { Verified } from '../auth/live.ts'
import { asFailure } from '../protocol/failures.ts'
import { Conversation } from './conversation.ts'
import type { Exchange } from './exchange.ts'
import { bearerOf, type Identification, invalidToken } from './identify.ts'
import type { Current, Limits } from './limits.ts'
import type { Connection, Origin } from './origin.ts'
import { sendRaw } from './replies.ts'
import type { Tethers } from './tethers.ts'

/** How long answers that are due may hold up the closing handshake, and then the peer, in milliseconds. */
const ANSWERS_MS = 5_000
const CLOSING_MS = 1_000

/** What it costs to read a ping and to answer it, in milliseconds. */
const PING_MS = 0.01

/** Close codes: 1001, 1003 are RFC 6455's; 4000-4999 are free for applications, and 4401 is Unauthorized's place there. */
const GOING_AWAY = 1001
const UNSUPPORTED_DATA = 1003
const TOKEN_ENDED = 4401

interface Parts {
  readonly exchange: Exchange
  readonly limits: Current<Limits>
  readonly identification: Identification
  readonly tethers: Tethers
  readonly log: Logger
}

/** Its closing frame goes out behind the answers that are due, also where ws closes by itself: for a fault, or since the peer does. */
class AnsweringSocket extends WebSocket {
  whenAnswered: (close: () => void) => void = (close) => close()

  override close(code?: number, reason?: string | Buffer): void {
    const close = () => super.close(code, reason)
    if (this.readyState === this.OPEN) this.whenAnswered(close)
    else close()
  }
}

/** JSON-RPC over WebSocket: one message a text frame, many calls in flight, each identified anew. */
export class WebSocketDoor {
  readonly #parts: Parts
  readonly #server: Server<typeof AnsweringSocket>
  readonly #sessions = new Set<Session>()
  readonly #heartbeat: NodeJS.Timeout

  constructor(parts: Parts) {
    this.#parts = parts
    const { frame, idle } = parts.limits()
    // Compression off: its memory is per connection, and mixing secrets with what others chose leaks them (CRIME).
    const options = {
      noServer: true,
      clientTracking: false,
      maxPayload: frame,
      perMessageDeflate: false,
      closeTimeout: CLOSING_MS, // ws has it, its types have not
      WebSocket: AnsweringSocket,
    }
    this.#server = new WebSocketServer(options)
    this.#heartbeat = setInterval(() => this.#beat(), idle / 2).unref()
  }

  /** A token at the upgrade must be live: 401 otherwise. Without one, each message brings its own or is refused. */
  async upgrade(req: IncomingMessage, socket: Socket, head: Buffer, origin: Origin): Promise<void> {
    try {
      const verified = await this.#verify(origin)
      this.#server.handleUpgrade(req, socket, head, (ws) => this.#open(ws, socket, origin, verified))
    } catch (thrown) {
      const failure = asFailure(thrown)
      if (failure.name === 'internal') this.#parts.log.error({ err: failure.cause }, 'an upgrade failed')
      sendRaw(socket, failure)
    }
  }

  async #verify(origin: Origin): Promise<Verified | undefined> {
    const credential = bearerOf(origin.authorization)
    if (credential === undefined) return undefined
    const verified = await this.#parts.identification.look(origin, credential)
    if (verified === undefined) throw invalidToken()
    return verified
  }

  #open(ws: AnsweringSocket, socket: Socket, origin: Origin, verified: Verified | undefined): void {
    origin.connection.conversing = true
    const session = new Session(ws, socket, origin, this.#parts)
    this.#sessions.add(session)
    const untie = verified
      ? this.#parts.tethers.tie(verified, origin.address, { connection: session.conversation }, (reason) =>
          session.end(TOKEN_ENDED, reason),
        )
      : () => {}
    socket.resume() // it was held as long as it waited for answers
    socket._read(0) // where HTTP has stopped it, behind the stream's back: that would wait for ever
    ws.on('close', () => {
      untie()
      this.#sessions.delete(session)
    })
  }

  #beat(): void {
    for (const session of this.#sessions) session.beat()
  }

  /** Lets calls in flight finish, then says goodbye. */
  close(): void {
    clearInterval(this.#heartbeat)
    for (const session of this.#sessions) session.end(GOING_AWAY, 'shutting down')
  }
}

/** One WebSocket. */
class Session {
  readonly #ws: AnsweringSocket
  readonly #connection: Connection
  readonly conversation: Conversation
  #heard = true
  /** Since it is to be closed. */
  #late: NodeJS.Timeout | undefined

  constructor(ws: AnsweringSocket, socket: Socket, origin: Origin, { exchange, limits }: Parts) {
    this.#ws = ws
    this.#connection = origin.connection
    this.conversation = new Conversation(exchange, origin, limits, {
      socket,
      deliver(answers) {
        socket.cork()
        for (const answer of answers) ws.send(answer)
        socket.uncork()
      },
      pause: () => ws.pause(),
      resume: () => ws.resume(),
      end: (reason) => this.end(TOKEN_ENDED, reason),
    })
    ws.whenAnswered = (close) => this.#whenAnswered(close)
    ws.on('close', () => clearTimeout(this.#late))
    ws.on('error', () => {}) // ws closes the connection itself: 1007, 1009 and the like
    ws.on('pong', () => {
      this.#heard = true
    })
    ws.on('ping', () => this.#slowDown())
    ws.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary))
  }

  /** There may be several reasons, and as many as the peer likes. */
  #whenAnswered(close: () => void): void {
    this.conversation.finish(close)
    const giveUp = () => {
      this.conversation.drop()
      close()
    }
    this.#late ??= setTimeout(giveUp, ANSWERS_MS).unref()
  }

  /** ws has answered it already; a stranger's next ones are read in their turn. */
  #slowDown(): void {
    this.#heard = true
    const { commons, known, queued } = this.#connection
    if (known) return
    commons.pay(PING_MS)
    if (queued) return
    this.#ws.pause()
    commons.serve(this.#connection, () => {
      if (!this.conversation.isHeld) this.#ws.resume()
      this.conversation.proceed()
    })
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#heard = true
    if (isBinary) this.#ws.close(UNSUPPORTED_DATA, 'text frames only')
    else this.conversation.receive(data.toString('utf8'))
  }

  /** Begins no more calls; closes when those under way are answered. */
  end(code: number, reason: string): void {
    this.conversation.drop()
    this.#ws.close(code, reason)
  }

  /** Ends who was not heard of since the last ping: a vanished peer would otherwise stay for good. */
  beat(): void {
    if (!this.#heard) this.#ws.terminate()
    this.#heard = false
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping()
  }
}
