import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Peer } from '../auth/caller.ts'
import type { Verifier } from '../auth/verifier.ts'
import type { Exchange } from './exchange.ts'
import { createHttpServer } from './http.ts'
import type { Current, Limits } from './limits.ts'
import { whyNotLocal } from './local.ts'
import { listenOnLoopback } from './loopback-listener.ts'
import type { Connection } from './origin.ts'
import { Reception } from './reception.ts'
import { beginsStream, Stream } from './stream.ts'
import type { Tethers } from './tethers.ts'
import { listenOnUnix, type UnixAddress } from './unix-listener.ts'
import { WebSocketDoor } from './websocket.ts'
import type { ZabbixDialect } from './zabbix.ts'

/** How long calls in flight may take to finish at shutdown, in milliseconds. */
const GRACE_MS = 5_000
/** White space in front of the first message; more than this is no message. */
const LONGEST_BLANK = 1_024

export interface DoorParts {
  readonly exchange: Exchange
  readonly zabbix: ZabbixDialect
  readonly limits: Current<Limits>
  readonly verifier: Verifier
  readonly tethers: Tethers
  readonly ready: () => boolean
  readonly log: Logger
}

/** All listeners and what is connected to them. */
export class Doors {
  readonly #parts: DoorParts
  readonly #reception: Reception
  readonly #webSockets: WebSocketDoor
  readonly #streams = new Set<Stream>()
  readonly #servers: Server[] = []
  #removeSocket: () => void = () => {}

  constructor(parts: DoorParts) {
    this.#parts = parts
    this.#reception = new Reception(parts.limits, parts.log)
    this.#webSockets = new WebSocketDoor(parts)
  }

  get connections(): number {
    return this.#reception.count
  }

  /** Opens the loopback and the Unix door; the Unix one last, since its appearance says that the daemon is there. */
  async open(unix: UnixAddress, port: number): Promise<{ port: number }> {
    const loopback = await listenOnLoopback(() => this.#createTcp(), port, this.#parts.log)
    this.#removeSocket = await listenOnUnix(this.#createUnix(), unix)
    return { port: loopback.port }
  }

  #createTcp(): Server {
    return this.#create('tcp', (_socket, _connection, toHttp) => toHttp())
  }

  /** Here HTTP gets only what speaks HTTP. */
  #createUnix(): Server {
    return this.#create('unix', (socket, connection, toHttp) => {
      this.#tellApart(socket, (first) =>
        beginsStream(first) ? this.#converse(socket, connection) : toHttp(),
      )
    })
  }

  /**
   * An HTTP server that stays its own listener, so that Node keeps its time limits (fed by hand it would not), but whose
   * connections come here first: to be counted, and to ask the kernel about, once.
   */
  #create(
    door: Peer['door'],
    enter: (socket: Socket, connection: Connection, toHttp: () => void) => void,
  ): Server {
    const server = createHttpServer({
      ...this.#parts,
      connectionOf: (socket) => this.#reception.connectionOf(socket),
      onWebSocket: (req, socket, head, origin) => void this.#webSockets.upgrade(req, socket, head, origin),
    })
    this.#servers.push(server)
    const [listener] = server.listeners('connection') as [(socket: Socket) => void]
    server.off('connection', listener)
    server.on('connection', (socket: Socket) => {
      const toHttp = () => listener.call(server, socket)
      if (this.#reception.connectionOf(socket) !== undefined) {
        toHttp() // put back by an ignored upgrade
        return
      }
      const connection = this.#reception.admit(socket, door)
      if (connection !== undefined) enter(socket, connection, toHttp)
    })
    return server
  }

  /** Waits for the first byte that is no white space, and puts back what was read. */
  #tellApart(socket: Socket, decide: (first: number) => void): void {
    let head: Buffer = Buffer.alloc(0)
    const giveUp = () => socket.destroy()
    const look = (chunk: Buffer) => {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      const first = head.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
      if (first === undefined && head.length <= LONGEST_BLANK) return
      socket.off('data', look).off('end', giveUp).off('timeout', giveUp).setTimeout(0)
      socket.pause()
      socket.unshift(head)
      decide(first ?? 0)
      socket.resume()
    }
    socket.setTimeout(this.#parts.limits().idle)
    socket.on('data', look).on('end', giveUp).on('timeout', giveUp)
  }

  #converse(socket: Socket, connection: Connection): void {
    const { exchange, limits } = this.#parts
    connection.conversing = true
    const notLocal = () => whyNotLocal(connection.peer, undefined)
    const stream = new Stream(
      socket,
      { connection, authorization: undefined, tokenOverrides: true, notLocal },
      exchange,
      limits,
    )
    this.#streams.add(stream)
    socket.once('close', () => this.#streams.delete(stream))
  }

  /** Accepts nobody any more, lets calls in flight finish (for a bounded time), and ends every connection. */
  async close(): Promise<void> {
    this.#removeSocket()
    for (const server of this.#servers) server.close()
    this.#webSockets.close()
    for (const stream of this.#streams) stream.end({ drop: true })
    const deadline = performance.now() + GRACE_MS
    while (this.#reception.count > 0 && performance.now() < deadline) {
      this.#reception.dismissIdle()
      await pause(10)
    }
    this.#reception.dismissAll()
  }
}
