import { WebSocket } from 'ws'
import { Correlation } from './correlation.ts'
import { awaitOpen, LARGEST_ANSWER, type Link, type OnMessage, type Read } from './link.ts'
import type { Patience } from './patience.ts'

/** How long an upstream may be silent before it is asked whether it is there, in milliseconds. */
const HEARTBEAT_MS = 30_000
/** How long it may take to open one, in milliseconds. */
const HANDSHAKE_MS = 5_000

/** An open WebSocket, and the calls on it. */
interface Connection {
  readonly ws: WebSocket
  readonly correlation: Correlation
}

/** Many calls over one WebSocket, opened with the first and again when it was lost. */
export class WebSocketLink implements Link {
  readonly #url: URL
  readonly #headers: () => Promise<Record<string, string>>
  readonly #onMessage: OnMessage
  #open: Promise<Connection> | undefined
  #current: WebSocket | undefined

  constructor(url: URL, headers: () => Promise<Record<string, string>>, onMessage: OnMessage) {
    this.#url = url
    this.#headers = headers
    this.#onMessage = onMessage
  }

  async request<T>(text: string, id: number, patience: Patience, read: Read<T>): Promise<T> {
    const { ws, correlation } = await this.#connected(patience)
    return read(await correlation.wait(id, patience, () => ws.send(text)))
  }

  async #connected(patience: Patience): Promise<Connection> {
    const open = await this.#opened(patience)
    if (open.ws.readyState === WebSocket.OPEN) return open
    open.ws.terminate() // it is closing, and what is sent into it is lost
    this.#open = undefined
    return this.#opened(patience)
  }

  async #opened(patience: Patience): Promise<Connection> {
    this.#open ??= this.#connect()
    return awaitOpen(this.#open, patience)
  }

  async #connect(): Promise<Connection> {
    try {
      const options = {
        headers: await this.#headers(),
        maxPayload: LARGEST_ANSWER,
        perMessageDeflate: false,
        handshakeTimeout: HANDSHAKE_MS,
      }
      const ws = new WebSocket(this.#url, options)
      await new Promise<void>((resolve, reject) => ws.once('open', resolve).once('error', reject))
      const open = { ws, correlation: new Correlation(this.#onMessage) }
      this.#current = ws
      this.#attend(open)
      return open
    } catch (error) {
      this.#open = undefined
      throw error
    }
  }

  #attend({ ws, correlation }: Connection): void {
    let heard = true
    const heartbeat = setInterval(() => {
      if (!heard) ws.terminate()
      heard = false
      ws.ping()
    }, HEARTBEAT_MS).unref()
    let fault: unknown = new Error('the connection was closed')
    ws.on('error', (error) => {
      fault = error
    })
    ws.on('pong', () => {
      heard = true
    })
    ws.on('message', (data: Buffer) => {
      heard = true
      try {
        correlation.take(data.toString('utf8'))
      } catch (error) {
        fault = error
        ws.terminate()
      }
    })
    ws.on('close', () => {
      clearInterval(heartbeat)
      if (this.#current === ws) this.#open = undefined
      correlation.fail(fault)
    })
  }

  close(): void {
    void this.#open?.then(
      ({ ws }) => ws.terminate(),
      () => {},
    )
  }
}
