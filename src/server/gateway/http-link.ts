import { isUtf8 } from 'node:buffer'
import type { Client, Dispatcher } from 'undici'
import { Pieces } from '../../protocol/pieces.ts'
import type { HeaderField } from './credential.ts'
import { broken, LARGEST_ANSWER, type Link, type Read } from './link.ts'
import type { Patience } from './patience.ts'

/** Where an upstream that speaks HTTP is. */
export interface HttpPlace {
  readonly url: URL
  /** The Unix socket, if it is one. */
  readonly socketPath?: string
}

/** Kept connections are given up before most servers do it, in milliseconds: a call on one that ends would be lost. */
const IDLE_MS = 4_000
/** How long it may take to open one, in milliseconds. */
const CONNECT_MS = 5_000

const FIELDS = ['Content-Type', 'application/json', 'Accept', 'application/json']

/**
 * One POST a call, over connections that are kept. undici's, since node:http's client takes more processor time than the rest
 * of a call's way: 56 µs, and 32 with all that can be left out, against 20 (measured). It follows no redirects, and sends
 * nothing again: over a kept connection that has just ended, it may have been taken. Over a connection on which something else
 * than an answer has come, what comes next may be about another call: it is not used again.
 */
export class HttpLink implements Link {
  readonly #path: string
  readonly #credential: () => HeaderField | undefined
  readonly #loading: Promise<() => Client>
  #makeClient: (() => Client) | undefined
  /** A connection each. Those that are free are taken from the end: the rest of them grow old and are closed. */
  readonly #clients = new Set<Client>()
  readonly #free: Client[] = []

  /** `credential`: the upstream's, made anew for each call. */
  constructor(place: HttpPlace, credential: () => HeaderField | undefined) {
    this.#path = place.url.pathname + place.url.search
    this.#credential = credential
    this.#loading = loadClient(place)
  }

  async request<T>(text: string, _id: number, patience: Patience, read: Read<T>): Promise<T> {
    this.#makeClient ??= await this.#loading
    patience.throwIfOver()
    const field = this.#credential()
    const headers = field === undefined ? FIELDS : [...FIELDS, ...field]
    const client = this.#free.pop() ?? this.#open(this.#makeClient)
    return new Promise((resolve, reject) => {
      const giveUp = (reason: unknown) => {
        patience.off(giveUp)
        this.#drop(client)
        reject(broken(reason))
      }
      const done = (bytes: Buffer) => {
        try {
          if (!isUtf8(bytes)) throw new Error('the answer is no UTF-8')
          resolve(read(bytes.toString('utf8')))
        } catch (error) {
          giveUp(error)
          return
        }
        patience.off(giveUp)
        this.#free.push(client)
      }
      patience.onEnd(giveUp)
      client.dispatch({ method: 'POST', path: this.#path, headers, body: text }, new Answer(done, giveUp))
    })
  }

  #open(makeClient: () => Client): Client {
    const client = makeClient()
    this.#clients.add(client)
    return client
  }

  /** With its connection, and what is under way on it; what waits for a connection that is only being opened is never sent. */
  #drop(client: Client): void {
    this.#clients.delete(client)
    void client.destroy()
  }

  close(): void {
    for (const client of this.#clients) this.#drop(client)
  }
}

/** Loaded only where an upstream speaks HTTP: it takes a tenth of a second and 19 MB. */
async function loadClient({ url, socketPath }: HttpPlace): Promise<() => Client> {
  const { Client } = await import('undici')
  const options = {
    allowH2: false,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    // A call's own patience is what ends it.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: LARGEST_ANSWER,
    connect: { timeout: CONNECT_MS, ...(socketPath !== undefined && { socketPath }) },
  }
  return () => new Client(url.origin, options)
}

/** What undici tells of one answer, until it is whole or has failed. */
class Answer implements Dispatcher.DispatchHandler {
  readonly #done: (bytes: Buffer) => void
  readonly #fail: (error: unknown) => void
  readonly #pieces = new Pieces()

  constructor(done: (bytes: Buffer) => void, fail: (error: unknown) => void) {
    this.#done = done
    this.#fail = fail
  }

  onRequestStart(): void {}

  onResponseStart(): void {} // an upstream that refuses may say so by the status as well

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#pieces.add(chunk)
  }

  onResponseEnd(): void {
    this.#done(this.#pieces.take())
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error)
  }
}
