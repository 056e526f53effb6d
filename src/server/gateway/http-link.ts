import { isUtf8 } from 'node:buffer'
import { Agent, request as requestHttp } from 'node:http'
import { request as requestHttps, Agent as SecureAgent } from 'node:https'
import type { Link } from './link.ts'
import { broken, LARGEST_ANSWER } from './link.ts'

/** Where an upstream that speaks HTTP is. */
export interface HttpPlace {
  readonly url: URL
  /** The Unix socket, if it is one. */
  readonly socketPath?: string
}

/** Kept connections are given up before most servers do it, in milliseconds: a call on one that ends would be lost. */
const IDLE_MS = 4_000

/** One POST a call, over connections that are kept. */
export class HttpLink implements Link {
  readonly #place: HttpPlace
  readonly #headers: () => Promise<Record<string, string>>
  readonly #agent: Agent

  /** `headers`: the upstream's credential, made anew for each call. */
  constructor(place: HttpPlace, headers: () => Promise<Record<string, string>>, connections: number) {
    this.#place = place
    this.#headers = headers
    const options = { keepAlive: true, maxSockets: connections, timeout: IDLE_MS }
    this.#agent = place.url.protocol === 'https:' ? new SecureAgent(options) : new Agent(options)
  }

  async request(text: string, _id: number, signal: AbortSignal): Promise<string> {
    return this.#post(text, signal).catch((error: unknown) => Promise.reject(broken(error)))
  }

  async #post(text: string, signal: AbortSignal): Promise<string> {
    const { url, socketPath } = this.#place
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'application/json',
      'Content-Length': Buffer.byteLength(text),
      ...(await this.#headers()),
    }
    const request = url.protocol === 'https:' ? requestHttps : requestHttp
    return new Promise((resolve, reject) => {
      const where = socketPath === undefined ? {} : { socketPath }
      const req = request(url, { method: 'POST', agent: this.#agent, headers, signal, ...where })
      // Not tried again: over a kept connection that has just ended, it may have been taken.
      req.on('error', reject)
      req.on('upgrade', (_res, socket) => {
        socket.destroy()
        reject(new Error('it wants to speak another protocol'))
      })
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      req.on('response', (res) => {
        const chunks: Buffer[] = []
        let size = 0
        res.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          size += chunk.length
          if (size > LARGEST_ANSWER)
            req.destroy(new Error(`the answer is larger than ${LARGEST_ANSWER} bytes`))
        })
        res.on('error', reject)
        res.on('aborted', () => reject(new Error('the answer was cut off')))
        res.on('end', () => {
          const bytes = Buffer.concat(chunks)
          if (isUtf8(bytes)) resolve(bytes.toString('utf8'))
          else reject(new Error('the answer is no UTF-8'))
        })
      })
      req.end(text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
