import { isUtf8 } from 'node:buffer'
import type { Dispatcher, Pool } from 'undici'
import type { HeaderField } from './credential.ts'
import { broken, LARGEST_ANSWER, type Link } from './link.ts'
import type { Patience } from './patience.ts'

/** Where an upstream that speaks HTTP is. */
export interface HttpPlace {
  readonly url: URL
  /** The Unix socket, if it is one. */
  readonly socketPath?: string
}

export interface HttpLinkOptions {
  /** The upstream's, made anew for each call. */
  readonly credential: () => HeaderField | undefined
  /** That may be open at a time. */
  readonly connections: number
  /** Milliseconds for a call, opening a connection included. */
  readonly timeout: number
}

/** Kept connections are given up before most servers do it, in milliseconds: a call on one that ends would be lost. */
const IDLE_MS = 4_000
/** How long it may take to open one, in milliseconds. */
const CONNECT_MS = 5_000

const FIELDS = ['Content-Type', 'application/json', 'Accept', 'application/json']

/**
 * One POST a call, over connections that are kept. undici's, since node:http's client takes more processor time than the rest
 * of a call's way: 56 µs, and 32 with all that can be left out, against 20 (measured). It follows no redirects, and sends
 * nothing again: over a kept connection that has just ended, it may have been taken.
 */
export class HttpLink implements Link {
  readonly #path: string
  readonly #credential: () => HeaderField | undefined
  #pool: Pool | undefined
  readonly #opening: Promise<Pool>

  constructor(place: HttpPlace, options: HttpLinkOptions) {
    this.#path = place.url.pathname + place.url.search
    this.#credential = options.credential
    this.#opening = openPool(place, options)
    void this.#opening.then((pool) => {
      this.#pool = pool
    })
  }

  request(text: string, _id: number, patience: Patience): Promise<string> {
    return new Promise((resolve, reject) => {
      const field = this.#credential()
      const headers = field === undefined ? FIELDS : [...FIELDS, ...field]
      const request = { method: 'POST', path: this.#path, headers, body: text } as const
      const answer = new Answer(patience, resolve, reject)
      if (this.#pool !== undefined) this.#pool.dispatch(request, answer)
      else void this.#opening.then((pool) => pool.dispatch(request, answer))
    })
  }

  close(): void {
    void this.#opening.then((pool) => pool.destroy())
  }
}

/** Loaded only where an upstream speaks HTTP: it takes a tenth of a second and 19 MB. */
async function openPool(
  { url, socketPath }: HttpPlace,
  { connections, timeout }: HttpLinkOptions,
): Promise<Pool> {
  const { Pool } = await import('undici')
  return new Pool(url.origin, {
    connections,
    allowH2: false,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    // A call's own patience is what ends it.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: LARGEST_ANSWER,
    connect: { ...(socketPath !== undefined && { socketPath }), timeout: Math.min(timeout, CONNECT_MS) },
  })
}

/** One answer on its way: what undici tells of it, until it is whole or nobody waits for it any more. */
class Answer implements Dispatcher.DispatchHandler {
  readonly #patience: Patience
  readonly #resolve: (text: string) => void
  readonly #reject: (error: unknown) => void
  readonly #chunks: Buffer[] = []
  #controller: Dispatcher.DispatchController | undefined

  constructor(patience: Patience, resolve: (text: string) => void, reject: (error: unknown) => void) {
    this.#patience = patience
    this.#resolve = resolve
    this.#reject = reject
    patience.onEnd(this.#giveUp)
  }

  /** One whose connection is only being opened is given up when it is open: before anything is sent. */
  readonly #giveUp = (reason: unknown) => {
    this.#controller?.abort(reason as Error)
    this.#fail(reason)
  }

  #fail(cause: unknown): void {
    this.#patience.off(this.#giveUp)
    this.#reject(broken(cause))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#patience.reason !== undefined) controller.abort(this.#patience.reason as Error)
  }

  onResponseStart(): void {} // an upstream that refuses may say so by the status as well

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const chunks = this.#chunks
    const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
    if (!isUtf8(bytes)) {
      this.#fail(new Error('the answer is no UTF-8'))
      return
    }
    this.#patience.off(this.#giveUp)
    this.#resolve(bytes.toString('utf8'))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error)
  }
}
