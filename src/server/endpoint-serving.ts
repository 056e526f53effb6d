import type { IncomingMessage, ServerResponse } from 'node:http'
import { asFailure, type Failure } from '../protocol/failures.ts'
import { after } from '../protocol/maybe.ts'
import type { Endpoint, EndpointAnswer } from './endpoints.ts'
import { wrongVerb } from './http-failures.ts'
import type { Connection, Origin } from './origin.ts'
import { headOf } from './replies.ts'
import { originOf } from './request.ts'
import type { Target } from './target.ts'

/** One request to an endpoint, on its way from HTTP and back. */
export class EndpointServing {
  readonly #endpoint: Endpoint
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #target: Target
  readonly #connection: Connection

  constructor(
    endpoint: Endpoint,
    req: IncomingMessage,
    res: ServerResponse,
    target: Target,
    connection: Connection,
  ) {
    this.#endpoint = endpoint
    this.#req = req
    this.#res = res
    this.#target = target
    this.#connection = connection
  }

  /** Who sent it; undefined: it is refused already. */
  begin(): Origin | undefined {
    try {
      const { verbs } = this.#endpoint
      if (!verbs.includes(this.#req.method ?? '')) throw wrongVerb(verbs.join(', '))
      return originOf(this.#req, this.#target, this.#connection, true)
    } catch (thrown) {
      const failure = asFailure(thrown)
      if (failure.http === 'wrong_verb') this.#send({ status: 405, headers: failure.headers })
      else this.refuse(failure)
      return undefined
    }
  }

  refuse(failure: Failure): void {
    this.#send(this.#endpoint.refuse(failure))
  }

  answer(body: string, origin: Origin): void {
    const { method: verb = 'GET', headers, socket } = this.#req
    const query = this.#target.query === '' ? NO_QUERY : new URLSearchParams(this.#target.query)
    const encrypted = 'encrypted' in socket
    const answered = this.#endpoint.answer({ verb, query, headers, origin, body, encrypted })
    void after(answered, (answer) => this.#send(answer, origin))
  }

  #send({ status, headers, body }: EndpointAnswer, { expiresIn }: Pick<Origin, 'expiresIn'> = {}): void {
    const res = this.#res
    if (res.destroyed || res.headersSent) return
    const head = headOf(headers, expiresIn)
    if (status !== 204 && headers?.['Content-Length'] === undefined)
      head.push('Content-Length', String(Buffer.byteLength(body ?? '')))
    res.writeHead(status, head)
    this.#connection.outbox.end(res, this.#req.method === 'HEAD' ? undefined : body)
  }
}

const NO_QUERY = new URLSearchParams()
