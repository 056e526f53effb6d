import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { inWords } from '../protocol/complaint.ts'
import type { Companions } from './level.ts'
import { levelPlaces } from './level-opening.ts'
import type { Commit, Feed, Store } from './store.ts'

/** What a thread opens its store with. */
export interface StoreShare {
  readonly db: string
  readonly port: MessagePort
  readonly state: SharedArrayBuffer
}

/** Where in the shared state is what: how often there was news, and whether commits are accepted. */
export const NEWS = 0
export const WRITABLE = 1

/** What a thread is told, in this order of events. */
export type Told =
  | { readonly kind: 'signal'; readonly payload: string }
  | { readonly kind: 'appended' | 'reset' | 'let go' }
  | { readonly kind: 'take up'; readonly opened: boolean }
  | { readonly kind: 'outcome'; readonly id: number; readonly admitted: boolean }
  | { readonly kind: 'failed'; readonly id: number; readonly error: string; readonly message: string }

/** What it says. */
export type Said =
  | { readonly kind: 'commit'; readonly id: number; readonly commit: Commit }
  | { readonly kind: 'released' }

/**
 * The store of the main thread, as other threads of the process have it: they read the database themselves, and hand over
 * what they want to commit. A signal is on its way to all of them before the news is counted up, and the news is counted
 * up before the commit is acknowledged: who compares the count, and takes what has come, decides by nothing that is
 * revoked.
 */
export class StoreSharing implements Feed, Companions {
  readonly #db: string
  readonly #state = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  /** Each with what is called when it has let go of the database. */
  readonly #threads = new Map<MessagePort, () => void>()
  #store: Store | undefined

  constructor(directory: string) {
    this.#db = levelPlaces(directory).db
  }

  /** Whose commits, signals and database they share. */
  serve(store: Store): void {
    this.#store = store
    store.subscribe(this)
  }

  /** What one more thread opens its store with; the port goes with it. */
  admit(): StoreShare {
    const { port1, port2 } = new MessageChannel()
    this.#threads.set(port1, () => {})
    port1.on('message', (said: Said) => this.#hear(port1, said))
    port1.on('close', () => this.#leave(port1))
    return { db: this.#db, port: port2, state: this.#state.buffer as SharedArrayBuffer }
  }

  #hear(port: MessagePort, said: Said): void {
    if (said.kind === 'released') this.#threads.get(port)?.()
    else void this.#commit(port, said)
  }

  async #commit(port: MessagePort, { id, commit }: Said & { kind: 'commit' }): Promise<void> {
    const answer = (told: Told) => port.postMessage(told)
    try {
      answer({ kind: 'outcome', id, admitted: (await this.#store?.commit(commit)) === true })
    } catch (error) {
      answer({ kind: 'failed', id, error: (error as Error).name, message: withCause(error as Error) })
    }
  }

  signal(payload: string): void {
    this.#tell({ kind: 'signal', payload })
    Atomics.add(this.#state, NEWS, 1)
  }

  reset(): void {
    this.#tell({ kind: 'reset' })
    Atomics.add(this.#state, NEWS, 1)
  }

  /** Nobody decides by it, so that it is no news. */
  appended(): void {
    this.#tell({ kind: 'appended' })
  }

  async letGo(): Promise<void> {
    const released = [...this.#threads.keys()].map(
      (port) => new Promise<void>((resolve) => this.#threads.set(port, resolve)),
    )
    this.#tell({ kind: 'let go' })
    await Promise.all(released)
  }

  takeUp(opened: boolean): void {
    this.#tell({ kind: 'take up', opened })
  }

  accepts(writable: boolean): void {
    Atomics.store(this.#state, WRITABLE, writable ? 1 : 0)
  }

  #tell(told: Told): void {
    for (const port of this.#threads.keys()) port.postMessage(told)
  }

  /** It has closed its store, or has ended. */
  #leave(port: MessagePort): void {
    this.#threads.get(port)?.()
    this.#threads.delete(port)
  }
}

function withCause({ message, cause }: Error): string {
  return cause === undefined ? message : `${message}: ${inWords(cause)}`
}
