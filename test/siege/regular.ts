import { connect, type NetConnectOpts, type Socket } from 'node:net'
import type { Table } from './regulars.ts'

const CALL = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'

/** One well-behaved caller: a connection that is kept, one call at a time. Comes again when it is thrown out. */
export class Regular {
  readonly #place: NetConnectOpts
  readonly #request: string
  readonly #wanted: string
  #socket: Socket | undefined
  #text = ''
  #onAnswer: (() => void) | undefined
  #answered = 0
  readonly wrong: string[] = []

  constructor(place: NetConnectOpts, { token, wanted }: Table) {
    this.#place = place
    this.#wanted = wanted
    const head = ['POST /api/ HTTP/1.1', 'Host: localhost', 'Content-Type: application/json']
    head.push(`Authorization: Bearer ${token}`, `Content-Length: ${CALL.length}`)
    this.#request = `${head.join('\r\n')}\r\n\r\n${CALL}`
  }

  get busy(): boolean {
    return this.#onAnswer !== undefined
  }

  /** Calls back at the right answer. A wrong one, or none, is none. */
  ask(onAnswer: () => void): void {
    this.#onAnswer = onAnswer
    this.#connection().write(this.#request)
  }

  /** Right answers since it was asked last. */
  takeAnswered(): number {
    const answered = this.#answered
    this.#answered = 0
    return answered
  }

  giveUp(): void {
    this.#onAnswer = undefined
    this.#socket?.destroy()
    this.#socket = undefined
    this.#text = ''
  }

  #connection(): Socket {
    if (this.#socket !== undefined) return this.#socket
    const socket = connect(this.#place)
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#take(text))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket !== socket) return
      if (this.busy) this.wrong.push(`the connection was closed; until then: ${JSON.stringify(this.#text)}`)
      this.giveUp()
    })
    return socket
  }

  #take(text: string): void {
    this.#text += text
    const end = this.#text.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#text)?.[1])
    if (this.#text.length < end + 4 + length) return
    const answer = this.#text
    this.#text = ''
    const onAnswer = this.#onAnswer
    this.#onAnswer = undefined
    if (answer.startsWith('HTTP/1.1 200 ') && answer.includes(this.#wanted)) {
      this.#answered++
      onAnswer?.()
    } else this.wrong.push(answer.slice(0, 500))
  }
}
