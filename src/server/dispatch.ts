import {
  createJSONRPCErrorResponse,
  type JSONRPCErrorResponse,
  type JSONRPCID,
  type JSONRPCResponse,
  JSONRPCServer,
} from 'json-rpc-2.0'
import type { Logger } from 'pino'
import type { Method, Services } from '../methods/method.ts'
import { asFailure, Failure } from '../protocol/failures.ts'
import type { Call, Params } from '../protocol/jsonrpc.ts'
import type { Identification } from './identify.ts'
import type { Origin } from './origin.ts'

/** What a single call brings along besides its parameters. */
interface Asking {
  readonly origin: Origin
  /** The call's own `Token` member. */
  readonly token: string | undefined
}

/**
 * The one door. Every call on every transport takes these steps in this order: find the row, identify, refuse or not,
 * validate, handle. The json-rpc-2.0 server finds the row and words the answer; what it is given is a valid call already.
 */
export class Dispatcher {
  readonly #server: JSONRPCServer<Asking>
  readonly #identification: Identification
  readonly #services: Services
  readonly #log: Logger

  constructor(services: Services, identification: Identification, log: Logger) {
    this.#identification = identification
    this.#services = services
    this.#log = log
    // Its own listener prints to the console, refusals included.
    this.#server = new JSONRPCServer<Asking>({ errorListener: () => {} })
    this.#server.mapErrorToJSONRPCErrorResponse = (id, thrown) => this.#refusal(id, asFailure(thrown))
    this.#server.handleMethodNotFound = async ({ id, method }) =>
      id === undefined ? null : unknownMethod(id, method)
    for (const row of services.methods) {
      this.#server.addMethod(row.name, (params: Params | undefined, asking) =>
        this.#handle(row, params, asking),
      )
    }
  }

  /**
   * The response object; its result is JSON text already. Null: a notification, which is not answered whatever became
   * of it. Never rejects.
   */
  dispatch({ method, params, id }: Call, asking: Asking): PromiseLike<JSONRPCResponse | null> {
    const request = { jsonrpc: '2.0' as const, method, params }
    return this.#server.receive(id === undefined ? request : { ...request, id }, asking)
  }

  async #handle(row: Method, params: Params | undefined, { origin, token }: Asking): Promise<string> {
    const caller = await this.#identification.admit(row.access, origin, token)
    // Here, so that a result that cannot be put into words is a failure of this call like any other.
    return JSON.stringify(await row.run(params, caller, this.#services))
  }

  #refusal(id: JSONRPCID, failure: Failure): JSONRPCErrorResponse {
    if (failure.cause !== undefined)
      this.#log.error({ err: failure.cause, failure: failure.name }, 'a call failed')
    const { code, message, data } = failure.toErrorObject()
    return createJSONRPCErrorResponse(id, code, message, data)
  }
}

function unknownMethod(id: JSONRPCID, method: string): JSONRPCErrorResponse {
  const { code, message, data } = new Failure('method_not_found', reasonFor(method)).toErrorObject()
  return createJSONRPCErrorResponse(id, code, message, data)
}

function reasonFor(method: string): string {
  const shown = method.length > 64 ? `${method.slice(0, 64).toWellFormed()}…` : method
  return `There is no method "${shown}"; rpc.discover lists those that exist.`
}
