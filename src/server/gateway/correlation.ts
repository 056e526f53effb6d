import { broken, type OnMessage } from './link.ts'

interface Pending {
  readonly resolve: (text: string) => void
  readonly reject: (error: unknown) => void
}

/** Calls under way on a connection that carries many, told apart by their ids. */
export class Correlation {
  readonly #pending = new Map<number, Pending>()
  readonly #onMessage: OnMessage

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage
  }

  /** Waits for the answer to what `send` sends; forgets it when `signal` is aborted: a late one then answers nothing. */
  wait(id: number, signal: AbortSignal, send: () => void): Promise<string> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(broken(signal.reason))
        return
      }
      const abort = () => {
        this.#pending.delete(id)
        reject(broken(signal.reason))
      }
      const settle = <T>(end: (value: T) => void) => {
        return (value: T) => {
          signal.removeEventListener('abort', abort)
          end(value)
        }
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#pending.set(id, { resolve: settle(resolve), reject: settle(reject) })
      send()
    })
  }

  /** A message has come. Throws where it is none: nothing that follows can be believed. */
  take(text: string): void {
    const message: unknown = JSON.parse(text)
    if (typeof message !== 'object' || message === null || Array.isArray(message))
      throw new Error('a message is no JSON-RPC object')
    const { id, method } = message as { id?: unknown; method?: unknown }
    if (typeof method === 'string') {
      if (id === undefined || id === null) this.#onMessage(text, message as Record<string, unknown>)
      return // it asks us something, which is not for us to answer
    }
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined
    if (pending === undefined) return // answered too late
    this.#pending.delete(id as number)
    pending.resolve(text)
  }

  /** The connection is over. */
  fail(cause: unknown): void {
    const failure = broken(cause)
    for (const { reject } of [...this.#pending.values()]) reject(failure)
    this.#pending.clear()
  }
}
