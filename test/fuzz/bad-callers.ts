import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Daemon } from '../support/daemon.ts'
import { open } from '../support/talk.ts'
import { frame, OPCODE } from './websocket-frames.ts'

/** For an answer that does not come: a bound, not a measurement. */
const PATIENCE_MS = 20_000

/** Says texts on one connection, and waits until the last of them is answered. */
export interface Caller {
  readonly name: string
  say(texts: readonly string[]): Promise<void>
  /** Ends the connection by a fault; the next texts go over another one. */
  offend(): Promise<void>
  close(): Promise<void>
}

interface Manner {
  readonly name: string
  readonly door: 'unix' | 'tcp'
  /** What has to be answered before anything else. */
  readonly greeting?: string
  readonly fault: string | Buffer
  word(text: string, number: number): string | Buffer
}

const PATHS = [
  '/api/',
  '/api/',
  '/nowhere',
  '/api/?token=x',
  '/auth',
  '/api_jsonrpc.php',
  '/oauth2/introspect',
  '/metrics',
]
const VERBS = ['POST', 'POST', 'POST', 'PUT']

/** One for each transport there is. */
export function callers(daemon: Daemon, revoked: string): Caller[] {
  const host = `Host: localhost:${daemon.port}`
  const http = (text: string, number: number): string => {
    const last = text.includes('"done-')
    const [verb, path] = last
      ? ['POST', '/api/']
      : [VERBS[number % VERBS.length], PATHS[number % PATHS.length]]
    const credential = number % 5 === 0 && !last ? `Authorization: Bearer ${revoked}\r\n` : ''
    const relay = number % 2 === 0 ? 'Via: 1.1 elsewhere\r\n' : '' // what would mint is refused
    const head = `${verb} ${path} HTTP/1.1\r\n${host}\r\nContent-Type: application/json\r\n${credential}${relay}`
    return `${head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  }
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13'
  const greeting = `GET /api/ HTTP/1.1\r\n${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`
  const fault = frame(OPCODE.text, Buffer.from([0xff]))
  const manners: Manner[] = [
    { name: 'HTTP', door: 'tcp', fault: 'NO HTTP\r\n\r\n', word: http },
    {
      name: 'WebSocket',
      door: 'tcp',
      greeting,
      fault,
      word: (text) => frame(OPCODE.text, Buffer.from(text)),
    },
    { name: 'newline JSON', door: 'unix', fault: 'x'.repeat(200_000), word: (text) => `${text}\n` },
  ]
  return manners.map((manner) => new Connected(daemon, manner))
}

class Connected implements Caller {
  readonly name: string
  readonly #daemon: Daemon
  readonly #manner: Manner
  #socket: Socket | undefined
  #heard = ''
  #number = 0

  constructor(daemon: Daemon, manner: Manner) {
    this.name = manner.name
    this.#daemon = daemon
    this.#manner = manner
  }

  async say(texts: readonly string[]): Promise<void> {
    const socket = await this.#connected()
    const last = `done-${this.#number}`
    const sign = JSON.stringify({ jsonrpc: '2.0', method: 'none', id: last })
    const words = [...texts, sign].map((text) => Buffer.from(this.#manner.word(text, this.#number++)))
    this.#heard = ''
    socket.write(Buffer.concat(words))
    while (!this.#heard.includes(`"${last}"`)) {
      const signal = AbortSignal.timeout(PATIENCE_MS)
      await once(socket, 'data', { signal }).catch((cause) => {
        throw new Error(`${this.name}: no answer behind ${this.#heard.slice(-300)}`, { cause })
      })
    }
  }

  async offend(): Promise<void> {
    const socket = await this.#connected()
    socket.end(this.#manner.fault)
    if (!socket.closed) await once(socket, 'close')
    this.#socket = undefined
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined || socket.closed) return
    socket.destroy()
    await once(socket, 'close')
  }

  async #connected(): Promise<Socket> {
    if (this.#socket !== undefined) return this.#socket
    const socket = open(this.#daemon, this.#manner.door).setEncoding('latin1')
    socket.on('error', () => {}) // the daemon may end it first
    await once(socket, 'connect')
    if (this.#manner.greeting !== undefined) {
      socket.write(this.#manner.greeting)
      await once(socket, 'data')
    }
    socket.on('data', (text) => {
      this.#heard += text
    })
    this.#socket = socket
    return socket
  }
}
