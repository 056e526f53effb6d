import type { PosternApi } from './api.ts'
import { type ApiShape, type Client, JsonRpcClient } from './client.ts'
import { Credential, isNode } from './credential.ts'
import { HttpTransport } from './http.ts'
import { Listeners } from './listeners.ts'
import type { Transport } from './transport.ts'
import { UnixSocketTransport } from './unix-socket.ts'
import { WebSocketTransport } from './websocket.ts'

export type * from './api.ts'
export type { Client } from './client.ts'
export { OutcomeUnknown, RpcError, Unreachable } from './errors.ts'

export interface ConnectOptions {
  /** `http(s)://…/api/`, or `ws(s)://…/api/` for one connection and notifications. In a browser: /api/ of the page's origin where left out. */
  readonly url?: string | URL | undefined
  /** Path of the daemon's Unix socket instead; in Node alone. */
  readonly socket?: string | undefined
  /** A token. Minting on the host itself takes none. */
  readonly token?: string | undefined
  /** A file with a token instead, which is read again when the token is refused; in Node alone. */
  readonly tokenFile?: string | undefined
  /** Milliseconds for a call, waiting for a connection included; 30,000 where left out. */
  readonly timeout?: number | undefined
}

const TIMEOUT_MS = 30_000
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/**
 * A client of the daemon; close() it in the end. `Api` maps names of methods to their types: the daemon's own where left
 * out, `PosternApi & {…}` with those of one's own. Throws TypeError for options that make no sense.
 */
export function connect<Api extends ApiShape<Api> = PosternApi>(options: ConnectOptions = {}): Client<Api> {
  const { token, tokenFile, timeout = TIMEOUT_MS } = options
  if (!(timeout > 0 && timeout <= LONGEST_TIMEOUT_MS))
    throw new TypeError('a timeout is a positive number of milliseconds')
  const credential = new Credential(token, tokenFile)
  const listeners = new Listeners()
  const transport = transportFor(options, credential, listeners)
  const hears = transport instanceof WebSocketTransport
  return new JsonRpcClient({
    transport,
    credential,
    timeout,
    listeners: hears ? listeners : undefined,
  }) as Client<Api>
}

function transportFor(
  { url, socket }: ConnectOptions,
  credential: Credential,
  listeners: Listeners,
): Transport {
  if (socket !== undefined) {
    if (url !== undefined) throw new TypeError('give a url or a socket, not both')
    if (!isNode()) throw new TypeError('there are no Unix sockets here: give a url')
    return new UnixSocketTransport(socket, credential)
  }
  const place = placeOf(url)
  if (/^https?:$/.test(place.protocol)) return new HttpTransport(place, credential)
  if (!/^wss?:$/.test(place.protocol)) throw new TypeError(`${place.protocol} is not http, https, ws or wss`)
  return new WebSocketTransport(place, credential, {
    notification: (method, params) => listeners.tell(method, params),
    connected: () => listeners.tell('connected'),
    disconnected: () => listeners.tell('disconnected'),
  })
}

function placeOf(url: string | URL | undefined): URL {
  const { location } = globalThis as { location?: { origin: string } }
  if (url !== undefined) return new URL(url, location?.origin)
  if (location === undefined) throw new TypeError('say where the daemon is: a url or a socket')
  return new URL('/api/', location.origin)
}
