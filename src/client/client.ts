import type { Params } from '../protocol/jsonrpc.ts'
import type { PosternApi, Procedure } from './api.ts'
import type { Credential } from './credential.ts'
import { Unreachable } from './errors.ts'
import type { Listener, Listeners } from './listeners.ts'
import { type Answer, type Message, type Transport, UNAUTHENTICATED } from './transport.ts'

/** What is given beside the name: nothing has to be where the parameters may be undefined. */
type Arguments<P> = undefined extends P ? [params?: P] : [params: P]

export type ApiShape<Api> = { readonly [M in keyof Api]: Procedure }

/**
 * A client of the daemon. Calls throw RpcError (the daemon, or the method, has refused), OutcomeUnknown (sent, but not
 * answered: it may have taken effect) and Unreachable (not sent). A call that is refused with 401 is made once more if the
 * token file has another token by then.
 */
export interface Client<Api extends ApiShape<Api> = PosternApi> {
  /** A call that Api does not know; T is what one expects of it, and is not checked. */
  call<T = unknown, M extends string = string>(
    method: M extends keyof Api ? never : M,
    params?: object,
  ): Promise<T>
  /** Makes a call, and resolves with its result. */
  call<M extends keyof Api & string>(
    method: M,
    ...args: Arguments<Api[M]['params']>
  ): Promise<Api[M]['result']>
  /** Makes a call without an answer; resolves when it is sent. What becomes of it is not told, not even a refusal. */
  notify(method: string, params?: object): Promise<void>
  /**
   * Over a WebSocket: hears notifications by their method (`token.watch`), and `connected` and `disconnected`; what was
   * watched has to be asked for again after each `connected`. Returns what ends it. Throws TypeError elsewhere.
   */
  on(event: string, listener: Listener): () => void
  /** Ends everything: calls in flight are rejected as OutcomeUnknown, later ones as Unreachable. */
  close(): void
}

export interface Parts {
  readonly transport: Transport
  readonly credential: Credential
  /** Undefined: the transport hears no notifications. */
  readonly listeners: Listeners | undefined
  /** Milliseconds for a call, from when it is asked for to its answer. */
  readonly timeout: number
}

/** Numbers calls, bounds them in time, and shows a renewed token. */
export class JsonRpcClient {
  readonly #parts: Parts
  readonly #underWay = new Set<AbortController>()
  #lastId = 0
  #closed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async call(method: string, params?: Params): Promise<unknown> {
    const id = ++this.#lastId
    const { result, error } = await this.#exchange({ ...wording(method, params), id })
    if (error !== undefined) throw error
    return result
  }

  async notify(method: string, params?: Params): Promise<void> {
    await this.#exchange(wording(method, params))
  }

  on(event: string, listener: Listener): () => void {
    const { listeners } = this.#parts
    if (listeners === undefined)
      throw new TypeError('notifications come over a WebSocket: connect to a ws URL')
    return listeners.add(event, listener)
  }

  close(): void {
    this.#closed = true
    for (const controller of this.#underWay) controller.abort(new Error('the client was closed'))
    this.#parts.transport.close()
  }

  async #exchange(message: Message): Promise<Answer> {
    if (this.#closed) throw new Unreachable('the client was closed')
    const { transport, credential, timeout } = this.#parts
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(new Error(`no answer within ${timeout} ms`)), timeout)
    this.#underWay.add(controller)
    try {
      const answer = await transport.exchange(message, controller.signal)
      if (answer.error?.code !== UNAUTHENTICATED || !(await credential.renew(answer.token))) return answer
      return await transport.exchange(message, controller.signal)
    } finally {
      clearTimeout(timer)
      this.#underWay.delete(controller)
    }
  }
}

function wording(method: string, params: Params | undefined): Message {
  return { jsonrpc: '2.0', method, ...(params !== undefined && { params }) }
}
