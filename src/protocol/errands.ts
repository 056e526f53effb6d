import type { MessagePort } from 'node:worker_threads'
import { Complaint } from './complaint.ts'
import { Failure, type FailureDetails, type FailureName } from './failures.ts'

/** What a thread can be asked for, by name. What is given and what comes back is copied. */
export type Offices<T> = { readonly [K in keyof T]: (...args: never[]) => unknown }

type Message =
  | { readonly kind: 'ask'; readonly id: number; readonly what: string; readonly args: readonly unknown[] }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'thrown'; readonly id: number; readonly thrown: Thrown }

/** An error that has crossed over to another thread: there, a class is not the same class. */
type Thrown =
  | {
      readonly kind: 'failure'
      readonly name: FailureName
      readonly data: string | undefined
      readonly details: FailureDetails
    }
  | { readonly kind: 'complaint'; readonly message: string; readonly hint: string | undefined }
  | { readonly kind: 'error'; readonly stack: string }

interface Pending {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** Calls between two threads, in both directions, over a port. `Theirs`: what the other one can be asked for. */
export class Errands<Theirs extends Offices<Theirs>> {
  readonly #port: MessagePort
  #ours: Offices<object> = {}
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  constructor(port: MessagePort) {
    this.#port = port
  }

  /** What the other one may ask us for; nothing is answered, and no answer heard, before this is called. */
  serve(ours: Offices<object>): this {
    this.#ours = ours
    this.#port.on('message', (message: Message) => this.#hear(message))
    this.#port.on('close', () => this.#end())
    return this
  }

  /** Rejects with what was thrown there, or when nobody is there any more. */
  ask<K extends keyof Theirs & string>(
    what: K,
    ...args: Parameters<Theirs[K]>
  ): Promise<Awaited<ReturnType<Theirs[K]>>> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      this.#port.postMessage({ kind: 'ask', id, what, args } satisfies Message)
    })
  }

  #hear(message: Message): void {
    if (message.kind === 'ask') {
      void this.#answer(message)
      return
    }
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if (message.kind === 'answer') pending?.resolve(message.value as never)
    else pending?.reject(revived(message.thrown))
  }

  async #answer({ id, what, args }: Message & { kind: 'ask' }): Promise<void> {
    const office = this.#ours[what as never] as (...args: readonly unknown[]) => unknown
    try {
      const value = await office(...args)
      this.#port.postMessage({ kind: 'answer', id, value } satisfies Message)
    } catch (thrown) {
      this.#port.postMessage({ kind: 'thrown', id, thrown: worded(thrown) } satisfies Message)
    }
  }

  #end(): void {
    const gone = new Error('the other thread has ended')
    for (const { reject } of this.#pending.values()) reject(gone)
    this.#pending.clear()
  }

  close(): void {
    this.#port.close()
  }
}

function worded(thrown: unknown): Thrown {
  if (thrown instanceof Failure) {
    const { name, data, http, headers } = thrown
    const cause = thrown.cause === undefined ? undefined : stackOf(thrown.cause)
    return { kind: 'failure', name, data, details: { headers, cause, ...(http !== undefined && { http }) } }
  }
  if (thrown instanceof Complaint) return { kind: 'complaint', message: thrown.message, hint: thrown.hint }
  return { kind: 'error', stack: stackOf(thrown) }
}

/** As text: not everything that an error carries can be copied. */
function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
}

function revived(thrown: Thrown): unknown {
  switch (thrown.kind) {
    case 'failure':
      return new Failure(thrown.name, thrown.data, thrown.details)
    case 'complaint':
      return new Complaint(thrown.message, thrown.hint)
    case 'error':
      return Object.assign(new Error('in another thread'), { stack: thrown.stack })
  }
}
