import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { Answers } from './answers.ts'
import type { LanePlan, Place } from './plan.ts'

export const UPGRADE = [
  'GET /api/ HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', // RFC 6455's own example
  '\r\n',
].join('\r\n')

const QUEUE_FULL_MS = 5

/** Told of answers on a connection: when each of them was due, in order. Told of what went wrong: once. */
export interface Listener {
  answered(connection: Connection, due: readonly number[]): void
  failed(error: Error): void
}

/** One connection and the requests that are under way on it. */
export class Connection {
  readonly #socket: Socket
  /** When each request that is under way was due. */
  #due: number[] = []
  listener: Listener | undefined

  private constructor(socket: Socket, plan: LanePlan) {
    this.#socket = socket
    const answers = new Answers(plan, (payload) => socket.write(Buffer.concat([pongHead(payload), payload])))
    socket.on('data', (chunk) => {
      try {
        this.#answered(answers.take(chunk))
      } catch (error) {
        this.#fail(error as Error)
      }
    })
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
  }

  static async open(plan: LanePlan): Promise<Connection> {
    const socket = await connected(plan.place)
    if (plan.request.protocol === 'websocket') await upgrade(socket)
    return new Connection(socket, plan)
  }

  get usable(): boolean {
    return this.#socket.writable && !this.#socket.destroyed
  }

  /** `due`: when it should have been sent, on performance.now()'s clock. */
  send(requests: Buffer, count: number, due: number): void {
    for (let sent = 0; sent < count; sent++) this.#due.push(due)
    this.#socket.write(requests)
  }

  close(): void {
    this.listener = undefined
    this.#socket.destroy()
  }

  #answered(count: number): void {
    if (count === 0) return
    const answered = count === this.#due.length ? this.#due : this.#due.slice(0, count)
    this.#due = count === this.#due.length ? [] : this.#due.slice(count)
    if (answered.length < count) throw new Error('more answers than requests')
    this.listener?.answered(this, answered)
  }

  #fail(error: Error): void {
    const { listener } = this
    this.close()
    listener?.failed(error)
  }
}

async function connected(place: Place): Promise<Socket> {
  for (;;) {
    const socket =
      'socket' in place
        ? connect(place.socket)
        : connect({ port: place.port, host: '127.0.0.1', noDelay: true })
    try {
      await once(socket, 'connect')
      return socket
    } catch (error) {
      // Many at once are more than a Unix socket lets wait until they are taken.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await setTimeout(QUEUE_FULL_MS)
    }
  }
}

async function upgrade(socket: Socket): Promise<void> {
  socket.write(UPGRADE)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  const text = answer.toString('latin1')
  if (!text.startsWith('HTTP/1.1 101 ') || !text.endsWith('\r\n\r\n')) throw new Error(`no upgrade: ${text}`)
}

/** As long as the ping (at most 125 bytes), masked with zeros. */
function pongHead({ length }: Buffer): Buffer {
  return Buffer.from([0x8a, 0x80 | length, 0, 0, 0, 0])
}
