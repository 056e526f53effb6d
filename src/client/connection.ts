import { dial, type End, type Wire } from './dial.ts'
import { OutcomeUnknown } from './errors.ts'
import { type Answer, type Message, readError, reasonOf } from './transport.ts'

interface Pending {
  resolve(answer: Answer): void
  reject(error: OutcomeUnknown): void
  readonly token: string | undefined
}

export interface ConnectionEvents {
  open(): void
  /** The first thing that was heard from the other side: it is well. */
  heard(): void
  notification(method: string, params: unknown): void
  close(end: End): void
}

/** One WebSocket from its opening to its end, and the calls that are in flight on it. */
export class Connection {
  /** With which it was opened. */
  readonly token: string | undefined
  readonly #events: ConnectionEvents
  readonly #pending = new Map<number, Pending>()
  #wire: Wire | undefined
  #heard = false
  #retired = false

  constructor(token: string | undefined, events: ConnectionEvents) {
    this.token = token
    this.#events = events
  }

  /** Throws where there can be no WebSocket to such a place at all. */
  async open(url: URL): Promise<void> {
    const wire = await dial(url, this.token, {
      open: () => this.#events.open(),
      message: (text) => this.#receive(text),
      close: (end) => this.#end(end),
    })
    this.#wire = wire
    if (this.#retired) wire.close()
  }

  get isOpen(): boolean {
    return !this.#retired && this.#wire?.isOpen === true
  }

  /** `token`: with which this message is sent. Throws OutcomeUnknown when the connection breaks, or `signal` aborts, before the answer. */
  exchange(message: Message, token: string | undefined, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#wire?.send(JSON.stringify(message))
      const { id } = message
      if (id === undefined) {
        resolve({ result: undefined, error: undefined, token })
        return
      }
      const give = () => this.#settle(id)?.reject(new OutcomeUnknown(reasonOf(signal)))
      signal.addEventListener('abort', give)
      const done = () => signal.removeEventListener('abort', give)
      this.#pending.set(id, {
        resolve: (answer) => {
          done()
          resolve(answer)
        },
        reject: (error) => {
          done()
          reject(error)
        },
        token,
      })
    })
  }

  /** Takes no more calls, and closes when those in flight are answered. */
  retire(): void {
    this.#retired = true
    if (this.#pending.size === 0) this.#wire?.close()
  }

  #receive(text: string): void {
    if (!this.#heard) this.#events.heard()
    this.#heard = true
    const { id, method, params, result, error } = read(text)
    if (typeof method === 'string') this.#events.notification(method, params)
    if (typeof id !== 'number') return
    const pending = this.#settle(id)
    pending?.resolve({ result, error: readError(error), token: pending.token })
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#retired && this.#pending.size === 0) this.#wire?.close()
    return pending
  }

  #end(end: End): void {
    const broken = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of broken) reject(new OutcomeUnknown(`the connection broke (${end.code})`))
    this.#events.close(end)
  }
}

interface Incoming {
  readonly id?: unknown
  readonly method?: unknown
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: unknown
}

/** What is no JSON-RPC is nothing. */
function read(text: string): Incoming {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
