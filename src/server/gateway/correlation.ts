import { broken, type OnMessage } from './link.ts'
import type { Patience } from './patience.ts'

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

  /** Waits for the answer to what `send` sends; forgets it when `patience` ends: a late one then answers nothing. */
  wait(id: number, patience: Patience, send: () => void): Promise<string> {
    return new Promise((resolve, reject) => {
      if (patience.reason !== undefined) {
        reject(broken(patience.reason))
        return
      }
      const giveUp = (reason: unknown) => {
        this.#pending.delete(id)
        reject(broken(reason))
      }
      const settle = <T>(end: (value: T) => void) => {
        return (value: T) => {
          patience.off(giveUp)
          end(value)
        }
      }
      patience.onEnd(giveUp)
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
