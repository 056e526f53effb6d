import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Effort, Target } from './attack.ts'

export type Door = 'unix' | 'tcp' | 'proxied' | 'tls'

/** Until an attacker who was thrown out comes again, in milliseconds. */
const AGAIN_MS = 20
/** Connections that are begun at a time: more than that, and the kernel's own queue is what is tried. */
const AT_ONCE = 200

export function dial({ socket, port, secure, proxied }: Target, door: Door): Socket {
  if (door === 'unix') return connect(socket)
  if (door === 'tcp') return connect({ port, host: '127.0.0.1', noDelay: true })
  if (door === 'proxied') return connect(proxied)
  if (secure === undefined) throw new Error('there is no door with TLS')
  return connectTls(secure)
}

/** A masked frame with a mask of zeros, which leaves the bytes as they are. */
export function frame(payload: string, opcode = 0x1): Buffer {
  const bytes = Buffer.from(payload)
  const [length, more] = bytes.length < 126 ? [bytes.length, 0] : [126, 2]
  const head = Buffer.alloc(6 + more)
  head[0] = 0x80 | opcode
  head[1] = 0x80 | length
  if (more > 0) head.writeUInt16BE(bytes.length, 2)
  return Buffer.concat([head, bytes])
}

/** A POST of a body to /api/. */
export function post(body: string | Buffer, head: readonly string[] = []): Buffer {
  const length = `Content-Length: ${Buffer.byteLength(body)}`
  const lines = ['POST /api/ HTTP/1.1', 'Host: a', 'Content-Type: application/json', ...head, length]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(body)])
}

/** Connections that are kept up: whichever is closed is made again, until it is over. */
export class Crowd {
  readonly #open = new Set<Socket>()
  readonly #dial: () => Socket
  readonly #greet: (socket: Socket) => void
  readonly #effort: Effort
  #over = false

  /** `greet` is called with each that stands. */
  constructor(dial: () => Socket, effort: Effort, greet: (socket: Socket) => void = () => {}) {
    this.#dial = dial
    this.#effort = effort
    this.#greet = greet
  }

  /** Resolves when as many stand as are let in. */
  async gather(size: number): Promise<void> {
    for (let missing = size; missing > 0; missing -= AT_ONCE)
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, missing) }, () => this.#join()))
  }

  async #join(): Promise<void> {
    const socket = this.#dial()
    this.#open.add(socket)
    this.#effort.connections++
    socket.on('error', () => {})
    socket.once('close', () => {
      this.#open.delete(socket)
      void pause(AGAIN_MS).then(() => (this.#over ? undefined : this.#join()))
    })
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {})
    if (!socket.destroyed) this.#greet(socket)
  }

  get sockets(): Iterable<Socket> {
    return this.#open
  }

  disperse(): void {
    this.#over = true
    for (const socket of this.#open) socket.destroy()
  }
}

/** Writes the same bytes as fast as they are taken, up to so many, and throws away what comes back. */
export function pour(socket: Socket, bytes: Buffer, most: number, effort: Effort): void {
  socket.resume()
  let poured = 0
  const on = () => {
    while (!socket.destroyed && poured < most) {
      poured += bytes.length
      effort.bytes += bytes.length
      if (!socket.write(bytes)) return
    }
  }
  socket.on('drain', on)
  on()
}
