import type { Socket } from 'node:net'
import type { Peer } from '../auth/caller.ts'
import { type AddressRanges, UNIX_ADDRESS } from '../auth/ranges.ts'
import { loopbackPeerUid } from '../linux/loopback.ts'
import { peerCredentials } from '../linux/peer.ts'
import { tooMany } from '../protocol/failures.ts'
import { plainAddress } from './client-address.ts'
import { Commons } from './commons.ts'
import type { ConnectionCounts, Counted } from './connection-counts.ts'
import type { Current, Limits } from './limits.ts'
import { neighbourhood } from './neighbourhood.ts'
import type { Connection } from './origin.ts'
import { Outbox } from './outbox.ts'
import type { RefusalLog } from './refusal-log.ts'
import { sendRaw } from './replies.ts'

/** What a listener knows about whoever connects to it. */
export interface Entrance {
  readonly door: Peer['door']
  readonly family: 'unix' | 'ip'
  /** Whose word about the client's address is taken. */
  readonly proxies: Current<AddressRanges> | undefined
  /** Whether a refusal can be said in plain bytes. */
  readonly plain: boolean
}

/** Who is connected. Each socket is asked about once, in its `connection` event: later the kernel may tell of somebody else. */
export class Reception {
  readonly #limits: Current<Limits>
  readonly #refusals: RefusalLog
  readonly #commons = new Commons()
  readonly #outbox = new Outbox()
  readonly #open = new Map<Socket, Connection>()
  readonly #counts: ConnectionCounts

  /** `counts`: of all doors, those of other threads too. */
  constructor(limits: Current<Limits>, refusals: RefusalLog, counts: ConnectionCounts) {
    this.#limits = limits
    this.#refusals = refusals
    this.#counts = counts
  }

  /** In this thread. */
  get count(): number {
    return this.#open.size
  }

  connectionOf(socket: Socket): Connection | undefined {
    return this.#open.get(socket)
  }

  /** Undefined: refused, with an answer that says why. */
  admit(socket: Socket, entrance: Entrance): Connection | undefined {
    if (socket.destroyed) return undefined
    socket.on('error', () => {}) // a peer that vanishes is no error of ours
    // Gone again, and nobody can say any more who it was.
    if (entrance.family === 'ip' && socket.remoteAddress === undefined) {
      socket.destroy()
      return undefined
    }
    const peer = peerOn(socket, entrance)
    const counted = countedAs(peer, entrance.proxies?.())
    const reason = this.#counts.enter(counted, this.#limits())
    if (reason !== undefined) {
      this.#refusals.warn('connection', { address: peer.address, reason }, 'refused a connection')
      if (entrance.plain) sendRaw(socket, tooMany(reason, 1))
      else socket.destroy()
      return undefined
    }
    const connection: Connection = {
      peer,
      proxies: entrance.proxies,
      memo: undefined,
      commons: this.#commons,
      outbox: this.#outbox,
      known: false,
      queued: false,
      crowded: false,
      refused: false,
      inFlight: 0,
      waiting: [],
      awaitsDrain: false,
      guarded: false,
      switching: false,
      wake: () => {},
      closed: false,
      onClosed: new Set(),
      latest: undefined,
      conversing: false,
    }
    this.#open.set(socket, connection)
    socket.once('end', () => probe(connection, socket))
    socket.once('close', () => {
      connection.closed = true
      for (const listener of connection.onClosed) listener()
      this.#open.delete(socket)
      this.#counts.leave(counted)
    })
    return connection
  }

  /** From now on an admitted connection goes by the TLS socket that was laid over its own. */
  secured(raw: Socket, socket: Socket): void {
    const connection = this.#open.get(raw)
    if (connection === undefined) return
    this.#open.delete(raw)
    this.#open.set(socket, connection)
    socket.once('close', () => this.#open.delete(socket))
  }

  /** Ends HTTP connections on which nothing is under way: kept alive, silent from the start, or in the middle of a request. */
  dismissIdle(): void {
    // What is answered and not sent yet would look as if nobody waited for it: whose it is are looked at next time.
    if (this.#outbox.flush()) return
    for (const [socket, { inFlight, conversing }] of this.#open) {
      if (inFlight === 0 && !conversing && socket.writableLength === 0) socket.destroy()
    }
  }

  /** Ends whatever is still open. */
  dismissAll(): void {
    for (const socket of this.#open.keys()) socket.destroy()
  }
}

/** A proxy has many clients behind its one address, and must not use up what everybody on this host may have. */
function countedAs(peer: Peer, proxies: AddressRanges | undefined): Counted {
  const isProxy = proxies?.includes(peer.address) === true
  return { unix: peer.address === UNIX_ADDRESS, place: isProxy ? undefined : neighbourhood(peer) }
}

/** On the remote door the kernel is not asked: whoever it might name would be a proxy. */
function peerOn(socket: Socket, { door, family }: Entrance): Peer {
  const address = family === 'unix' ? UNIX_ADDRESS : plainAddress(socket.remoteAddress ?? '')
  const nobody = { door, address, uid: undefined, gid: undefined, groups: [], pid: undefined }
  if (door === 'unix') return { ...nobody, ...peerCredentials(socket) }
  return door === 'tcp' ? { ...nobody, uid: loopbackUid(socket) } : nobody
}

function loopbackUid(socket: Socket): number | undefined {
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket
  return loopbackPeerUid(
    { address: localAddress, port: localPort },
    { address: remoteAddress, port: remotePort },
  )
}

/** How often it is looked whether somebody who has said all they want to is still there, in milliseconds. */
const PROBE_MS = 200

/**
 * An EOF does not say whether somebody has gone or only has no more to say, and still waits for the answer. While a
 * service behind the gate is busy for them they are sent interim answers (102, RFC 9110 section 15.2): to a closed
 * connection that fails, and the call is abandoned.
 */
function probe(connection: Connection, socket: Socket): void {
  const { conversing, onClosed, inFlight, latest } = connection
  if (conversing || inFlight === 0 || socket.destroyed) return
  const mayBeTold = latest !== undefined && !latest.headersSent && latest.req.httpVersion === '1.1'
  if (onClosed.size > 0 && mayBeTold) latest.writeProcessing()
  setTimeout(() => probe(connection, socket), PROBE_MS).unref()
}
