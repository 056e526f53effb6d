import type { Credential } from './credential.ts'
import { OutcomeUnknown, Unreachable } from './errors.ts'
import { headersFor } from './http.ts'
import { type Answer, type Message, readBody, reasonOf, type Transport } from './transport.ts'

/** One POST a message, over a Unix socket. In Node alone. */
export class UnixSocketTransport implements Transport {
  readonly #path: string
  readonly #credential: Credential

  constructor(path: string, credential: Credential) {
    this.#path = path
    this.#credential = credential
  }

  async exchange(message: Message, signal: AbortSignal): Promise<Answer> {
    const token = await this.#credential.current()
    if (signal.aborted) throw new Unreachable(reasonOf(signal))
    return this.#post(JSON.stringify(message), token, signal)
  }

  #post(body: string, token: string | undefined, signal: AbortSignal): Promise<Answer> {
    const { request } = process.getBuiltinModule('node:http')
    return new Promise((resolve, reject) => {
      let connected = false
      const fail = (error: Error) => {
        const why = signal.aborted ? reasonOf(signal) : `the connection failed (${error.message})`
        reject(connected ? new OutcomeUnknown(why, error) : new Unreachable(why, error))
      }
      const options = {
        socketPath: this.#path,
        path: '/api/',
        method: 'POST',
        headers: headersFor(token),
        agent: false as const,
        signal,
      }
      const req = request(options, (res) => {
        let text = ''
        res.setEncoding('utf8')
        res.on('data', (chunk: string) => {
          text += chunk
        })
        res.on('error', fail)
        res.on('end', () => {
          try {
            resolve(readBody(res.statusCode ?? 0, text, token))
          } catch (error) {
            reject(error)
          }
        })
      })
      req.on('socket', (socket) =>
        socket.once('connect', () => {
          connected = true
        }),
      )
      req.on('error', fail)
      req.end(body)
    })
  }

  close(): void {} // nothing stays open between calls
}
