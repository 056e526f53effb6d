import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import type { Peer } from '../auth/caller.ts'
import { loopbackPeerUid } from '../linux/loopback.ts'
import { peerCredentials } from '../linux/peer.ts'
import { Failure } from '../protocol/failures.ts'
import type { Current, Limits } from './limits.ts'
import type { Connection } from './origin.ts'
import { sendRaw } from './replies.ts'

/** Refusals are counted and summed up in one line in so many milliseconds: a flood must not fill the log. */
const LOG_EVERY_MS = 10_000

/** Who is connected. Each socket is asked about once, in its `connection` event: later the kernel may tell of somebody else. */
export class Reception {
  readonly #limits: Current<Limits>
  readonly #log: Logger
  readonly #open = new Map<Socket, Connection>()
  readonly #byAddress = new Map<string, number>()
  #refused = 0
  #logged = Number.NEGATIVE_INFINITY

  constructor(limits: Current<Limits>, log: Logger) {
    this.#limits = limits
    this.#log = log
  }

  get count(): number {
    return this.#open.size
  }

  connectionOf(socket: Socket): Connection | undefined {
    return this.#open.get(socket)
  }

  /** Undefined: refused, with an answer that says why. */
  admit(socket: Socket, door: Peer['door']): Connection | undefined {
    if (socket.destroyed) return undefined
    socket.on('error', () => {}) // a peer that vanishes is no error of ours
    const peer = door === 'unix' ? unixPeer(socket) : tcpPeer(socket)
    const reason = this.#reasonToRefuse(peer)
    if (reason !== undefined) {
      this.#refuse(socket, peer, reason)
      return undefined
    }
    const connection: Connection = {
      peer,
      memo: undefined,
      inFlight: 0,
      waiting: [],
      awaitsDrain: false,
      closed: false,
      latest: undefined,
      conversing: false,
    }
    this.#open.set(socket, connection)
    this.#count(peer, 1)
    socket.once('close', () => {
      connection.closed = true
      this.#open.delete(socket)
      this.#count(peer, -1)
    })
    return connection
  }

  #reasonToRefuse({ door, address }: Peer): string | undefined {
    const { connections, connections_per_address } = this.#limits()
    if (this.#open.size >= connections) return 'Too many connections.'
    const fromThere = this.#byAddress.get(address) ?? 0
    return door === 'tcp' && fromThere >= connections_per_address
      ? 'Too many connections from your address.'
      : undefined
  }

  #count({ address }: Peer, change: 1 | -1): void {
    const count = (this.#byAddress.get(address) ?? 0) + change
    if (count === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, count)
  }

  #refuse(socket: Socket, { address }: Peer, reason: string): void {
    sendRaw(socket, new Failure('limited', reason, { headers: { 'Retry-After': '1' } }))
    this.#refused++
    if (performance.now() - this.#logged < LOG_EVERY_MS) return
    this.#log.warn({ refused: this.#refused, address, reason }, 'connections refused')
    this.#logged = performance.now()
    this.#refused = 0
  }

  /** Ends HTTP connections on which nothing is under way: kept alive, silent from the start, or in the middle of a request. */
  dismissIdle(): void {
    for (const [socket, { inFlight, conversing }] of this.#open) {
      if (inFlight === 0 && !conversing && socket.writableLength === 0) socket.destroy()
    }
  }

  /** Ends whatever is still open. */
  dismissAll(): void {
    for (const socket of this.#open.keys()) socket.destroy()
  }
}

function unixPeer(socket: Socket): Peer {
  const credentials = peerCredentials(socket)
  return {
    door: 'unix',
    address: 'unix',
    uid: credentials?.uid,
    gid: credentials?.gid,
    pid: credentials?.pid,
  }
}

function tcpPeer(socket: Socket): Peer {
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket
  const uid = loopbackPeerUid(
    { address: localAddress, port: localPort },
    { address: remoteAddress, port: remotePort },
  )
  return { door: 'tcp', address: remoteAddress, uid, gid: undefined, pid: undefined }
}
