import type { Server } from 'node:http'
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Inherited } from '../linux/activation.ts'
import { descriptorOf } from '../linux/peer.ts'
import type { Certificate } from './certificate.ts'
import type { ConnectionCounts } from './connection-counts.ts'
import type { Endpoints } from './endpoints.ts'
import type { Exchange } from './exchange.ts'
import { createHttpServer } from './http.ts'
import type { Identification } from './identify.ts'
import type { Current, Limits } from './limits.ts'
import { type LocalPlaces, listenOnDescriptor, openLocal } from './listeners.ts'
import type { Connection } from './origin.ts'
import { type Entrance, Reception } from './reception.ts'
import type { RefusalLog } from './refusal-log.ts'
import type { Relay } from './relay.ts'
import { RemoteDoor, type RemoteValues } from './remote.ts'
import { beginsStream, Stream } from './stream.ts'
import type { Tethers } from './tethers.ts'
import { WebSocketDoor } from './websocket.ts'
import type { ZabbixDialect } from './zabbix.ts'

/** How long calls in flight may take to finish at shutdown, in milliseconds. */
const GRACE_MS = 5_000
/** White space in front of the first message; more than this is no message. */
const LONGEST_BLANK = 1_024

const UNIX: Entrance = { door: 'unix', family: 'unix', proxies: undefined, plain: true }
const LOOPBACK: Entrance = { door: 'tcp', family: 'ip', proxies: undefined, plain: true }

interface Listening {
  readonly server: Server
  readonly door: Entrance['door']
  /** Of the remote doors, which one. */
  readonly at: number
}

/** A listening socket, and for which door it is. */
export interface SharedSocket extends Omit<Listening, 'server'> {
  readonly fd: number
}

export interface DoorParts {
  readonly exchange: Exchange
  readonly zabbix: ZabbixDialect
  readonly endpoints: Endpoints
  readonly limits: Current<Limits>
  readonly identification: Identification
  readonly tethers: Tethers
  readonly ready: () => boolean
  readonly refusals: RefusalLog
  readonly log: Logger
  readonly counts: ConnectionCounts
  /** Undefined: there is one worker. */
  readonly relay: Relay | undefined
  readonly credentialsDir: string | undefined
}

/** All listeners and what is connected to them. */
export class Doors {
  readonly #parts: DoorParts
  readonly #reception: Reception
  readonly #webSockets: WebSocketDoor
  readonly #streams = new Set<Stream>()
  readonly #servers: Listening[] = []
  /** Connections from other workers, which are not handed on again. */
  readonly #taken = new WeakSet<Socket>()
  readonly remote: RemoteDoor
  #removeSockets: () => void = () => {}

  constructor(parts: DoorParts) {
    this.#parts = parts
    this.#reception = new Reception(parts.limits, parts.refusals, parts.counts)
    this.#webSockets = new WebSocketDoor(parts)
    this.remote = new RemoteDoor(parts.credentialsDir)
  }

  /** What is listened on, for another thread to listen on as well. */
  get sockets(): SharedSocket[] {
    return this.#listening.map(({ server, door, at }) => ({ door, at, fd: descriptorOf(server) ?? -1 }))
  }

  /** In the same order in every thread. */
  get #listening(): Listening[] {
    return this.#servers.filter(({ server }) => server.listening)
  }

  /** A connection that another worker has accepted. Where nobody is accepted any more, it ends. */
  take(at: number, fd: number): void {
    const [taker, socket] = [this.#listening[at], new Socket({ fd, allowHalfOpen: true })]
    if (taker === undefined) socket.destroy()
    this.#taken.add(socket.setNoDelay())
    taker?.server.emit('connection', socket)
  }

  /** Listens on descriptors of what another thread has opened. */
  async join(sockets: readonly SharedSocket[], remotes: readonly RemoteValues[]): Promise<void> {
    const build = this.remote.builder(remotes)
    for (const { door, at, fd } of sockets) {
      const [entrance, certificate] =
        door === 'remote' ? build(at) : [door === 'unix' ? UNIX : LOOPBACK, undefined]
      await listenOnDescriptor(this.#create(entrance, certificate, at), fd)
    }
  }

  /** Opens the remote door, and then the local ones. Throws Complaint. Resolves to the loopback port, if there is one. */
  async open(
    places: LocalPlaces,
    remotes: readonly RemoteValues[],
    inherited: Inherited,
  ): Promise<number | undefined> {
    const create = (entrance: Entrance, certificate?: Certificate, at?: number) =>
      this.#create(entrance, certificate, at)
    this.#removeSockets = await this.remote.open(remotes, inherited, create)
    const servers = { tcp: () => create(LOOPBACK), unix: () => create(UNIX) }
    const { port, removeSocket } = await openLocal(servers, places, inherited, this.#parts.log)
    const removeRemote = this.#removeSockets
    this.#removeSockets = () => {
      removeSocket()
      removeRemote()
    }
    return port
  }

  /**
   * An HTTP server that stays its own listener, so that Node keeps its time limits (fed by hand it would not), but whose
   * connections come here first: to be counted, to ask the kernel about, once, and to be taken out of TLS.
   */
  #create(entrance: Entrance, certificate: Certificate | undefined, at = 0): Server {
    const server = createHttpServer({
      ...this.#parts,
      connectionOf: (socket) => this.#reception.connectionOf(socket),
      onWebSocket: (req, socket, head, origin) => void this.#webSockets.upgrade(req, socket, head, origin),
    })
    this.#servers.push({ server, door: entrance.door, at })
    const [listener] = server.listeners('connection') as [(socket: Socket) => void]
    const toHttp = (socket: Socket) => listener.call(server, socket)
    server.off('connection', listener)
    server.on('connection', (socket: Socket) => {
      if (this.#reception.connectionOf(socket) !== undefined) {
        toHttp(socket) // put back by an ignored upgrade
        return
      }
      if (!this.#taken.has(socket) && this.#isRelayed(socket, server)) return
      const connection = this.#reception.admit(socket, entrance)
      if (connection === undefined) return
      if (certificate !== undefined) this.#secure(socket, certificate, toHttp)
      else if (entrance.family === 'unix') this.#tellApart(socket, connection, toHttp)
      else toHttp(socket)
    })
    return server
  }

  #isRelayed(socket: Socket, server: Server): boolean {
    const { relay } = this.#parts
    return (
      relay?.relay(
        socket,
        this.#listening.findIndex((one) => one.server === server),
      ) === true
    )
  }

  #secure(raw: Socket, certificate: Certificate, toHttp: (socket: Socket) => void): void {
    certificate.secure(raw, this.#parts.limits().header_timeout, (socket) => {
      this.#reception.secured(raw, socket)
      toHttp(socket)
    })
  }

  /** On Unix sockets HTTP gets only what speaks HTTP. Waits for the first byte that is no white space, and puts back what was read. */
  #tellApart(socket: Socket, connection: Connection, toHttp: (socket: Socket) => void): void {
    let head: Buffer = Buffer.alloc(0)
    const giveUp = () => socket.destroy()
    const look = (chunk: Buffer) => {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      const first = head.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
      if (first === undefined && head.length <= LONGEST_BLANK) return
      socket.off('data', look).off('end', giveUp).off('timeout', giveUp).setTimeout(0)
      socket.pause()
      socket.unshift(head)
      if (beginsStream(first ?? 0)) this.#converse(socket, connection)
      else toHttp(socket)
      socket.resume()
    }
    socket.setTimeout(this.#parts.limits().idle)
    socket.on('data', look).on('end', giveUp).on('timeout', giveUp)
  }

  #converse(socket: Socket, connection: Connection): void {
    const { exchange, limits } = this.#parts
    connection.conversing = true
    const { address } = connection.peer
    const origin = { connection, authorization: undefined, tokenOverrides: true, claims: undefined, address }
    const stream = new Stream(socket, origin, exchange, limits)
    this.#streams.add(stream)
    socket.once('close', () => this.#streams.delete(stream))
  }

  /** Accepts nobody any more, lets calls in flight finish (for a bounded time), and ends every connection. */
  async close(): Promise<void> {
    this.#removeSockets()
    for (const { server } of this.#servers) server.close()
    this.#webSockets.close()
    for (const stream of this.#streams) stream.end()
    const deadline = performance.now() + GRACE_MS
    while (this.#reception.count > 0 && performance.now() < deadline) {
      this.#reception.dismissIdle()
      await pause(10)
    }
    this.#reception.dismissAll()
  }
}
