import { Backoff } from './backoff.ts'
import { Connection } from './connection.ts'
import type { Credential } from './credential.ts'
import { carriesToken, type End } from './dial.ts'
import { RpcError, Unreachable } from './errors.ts'
import { type Answer, type Message, reasonOf, type Transport, UNAUTHENTICATED } from './transport.ts'

/** The daemon's close code for a connection whose token has ended. */
const TOKEN_ENDED = 4401
/** Calls that wait for a connection at most. */
const MOST_WAITING = 1_000

interface Waiting {
  resolve(connection: Connection): void
  reject(error: Error): void
}

export interface WebSocketEvents {
  notification(method: string, params: unknown): void
  connected(): void
  disconnected(): void
}

/** All messages over one WebSocket, which is opened again when it breaks. */
export class WebSocketTransport implements Transport {
  readonly #url: URL
  readonly #credential: Credential
  readonly #events: WebSocketEvents
  readonly #backoff = new Backoff()
  readonly #waiting = new Set<Waiting>()
  /** Open, or opening. */
  #connection: Connection | undefined
  #opening = false
  /** Whether the program was told that there is a connection. */
  #announced = false
  #closed = false

  constructor(url: URL, credential: Credential, events: WebSocketEvents) {
    this.#url = url
    this.#credential = credential
    this.#events = events
    void this.#open()
  }

  async exchange(message: Message, signal: AbortSignal): Promise<Answer> {
    for (;;) {
      const connection = await this.#ready(signal)
      const token = await this.#credential.current()
      if (signal.aborted) throw new Unreachable(reasonOf(signal))
      if (!connection.isOpen) continue // it broke in the meantime
      if (!carriesToken()) return connection.exchange(withToken(message, token), token, signal)
      if (connection.token === token) return connection.exchange(message, token, signal)
      this.#replace(connection)
    }
  }

  close(): void {
    this.#closed = true
    this.#backoff.cancel()
    this.#refuse(new Unreachable('the client was closed'))
    this.#connection?.retire()
  }

  #ready(signal: AbortSignal): Promise<Connection> | Connection {
    if (signal.aborted) throw new Unreachable(reasonOf(signal))
    if (this.#connection?.isOpen) return this.#connection
    if (this.#waiting.size >= MOST_WAITING)
      throw new Unreachable(`${MOST_WAITING} calls wait for a connection already`)
    if (!this.#backoff.isWaiting) void this.#open()
    return new Promise((resolve, reject) => {
      const give = () => {
        this.#waiting.delete(waiting)
        reject(new Unreachable(reasonOf(signal)))
      }
      const done = () => {
        this.#waiting.delete(waiting)
        signal.removeEventListener('abort', give)
      }
      const waiting: Waiting = {
        resolve: (connection) => {
          done()
          resolve(connection)
        },
        reject: (error) => {
          done()
          reject(error)
        },
      }
      this.#waiting.add(waiting)
      signal.addEventListener('abort', give)
    })
  }

  async #open(): Promise<void> {
    if (this.#opening || this.#closed || this.#connection !== undefined) return
    this.#opening = true
    try {
      const connection: Connection = new Connection(await this.#credential.current(), {
        open: () => this.#opened(connection),
        heard: () => this.#backoff.reset(),
        notification: (method, params) => this.#events.notification(method, params),
        close: (end) => void this.#ended(connection, end),
      })
      this.#connection = connection
      await connection.open(this.#url)
      if (this.#closed) connection.retire()
    } catch (error) {
      // No file yet, or no WebSocket to such a place: the next call tries again.
      this.#connection = undefined
      this.#refuse(new Unreachable(`no WebSocket (${(error as Error).message})`, error))
      if (this.#credential.mayChange) this.#openLater()
    } finally {
      this.#opening = false
    }
  }

  #openLater(): void {
    if (!this.#closed && !this.#backoff.isWaiting) this.#backoff.schedule(() => void this.#open())
  }

  #opened(connection: Connection): void {
    if (this.#closed) {
      connection.retire()
      return
    }
    this.#announce(true)
    for (const { resolve } of this.#waiting) resolve(connection)
  }

  async #ended(connection: Connection, { code, refused }: End): Promise<void> {
    if (this.#connection !== connection) return // a replaced one
    this.#connection = undefined
    this.#announce(false)
    if (this.#closed) return
    const unauthorized = code === TOKEN_ENDED || refused === 401
    if (unauthorized && !(await this.#credential.renew(connection.token))) {
      // Those who wait hear it; later calls, or a file with another token, may fare better.
      if (refused !== undefined) this.#refuse(new RpcError(UNAUTHENTICATED, 'Unauthorized.', INVALID))
      if (!this.#credential.mayChange && this.#waiting.size === 0) return
    }
    this.#openLater()
  }

  /** A token that is not the connection's own any more: another connection, while the old one ends its calls. */
  #replace(connection: Connection): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    connection.retire()
    this.#announce(false)
    void this.#open()
  }

  #announce(connected: boolean): void {
    if (this.#announced === connected) return
    this.#announced = connected
    if (connected) this.#events.connected()
    else this.#events.disconnected()
  }

  #refuse(error: Error): void {
    for (const { reject } of this.#waiting) reject(error)
  }
}

const INVALID = 'The token is not valid. It may have expired or been revoked.'

/** Throws TypeError for parameters among which there is no place for the token. */
function withToken(message: Message, token: string | undefined): Message {
  const { params } = message
  if (token === undefined) return message
  if (Array.isArray(params))
    throw new TypeError(
      'a browser sends the token among the parameters: give them by name, or use an http URL',
    )
  return { ...message, params: { ...params, Token: token } }
}
