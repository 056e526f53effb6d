import {
  createJSONRPCErrorResponse,
  createJSONRPCSuccessResponse,
  type JSONRPCErrorResponse,
  type JSONRPCID,
  type JSONRPCRequest,
  type JSONRPCResponse,
  JSONRPCServer,
} from 'json-rpc-2.0'
import type { Logger } from 'pino'
import type { Method, Services } from '../methods/method.ts'
import { asFailure, Failure } from '../protocol/failures.ts'
import type { Call, Params } from '../protocol/jsonrpc.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
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
    // The package's own listener prints to the console, refusals included. This one hears of notifications, too.
    this.#server = new JSONRPCServer<Asking>({
      errorListener: (_message, thrown) => this.#logCause(asFailure(thrown)),
    })
    this.#server.mapErrorToJSONRPCErrorResponse = (id, thrown) => refusal(id, asFailure(thrown))
    this.#server.handleMethodNotFound = async ({ id, method }) =>
      id === undefined ? null : unknownMethod(id, method)
    for (const row of services.methods) {
      this.#server.addMethodAdvanced(row.name, (call, asking) => this.#respond(row, call as Call, asking))
    }
  }

  /**
   * The response object; its result is JSON text already. Null: a notification, which is not answered whatever became
   * of it. Never rejects.
   */
  dispatch(call: Call, asking: Asking): PromiseLike<JSONRPCResponse | null> {
    return this.#server.receive(call as JSONRPCRequest, asking)
  }

  async #respond(row: Method, { id, params }: Call, asking: Asking): Promise<JSONRPCResponse | null> {
    // Put into words here, so that a result for which there are none is a failure of this call like any other.
    const result = JSON.stringify(await this.#handle(row, params, asking))
    return id === undefined ? null : createJSONRPCSuccessResponse(id, result)
  }

  #handle(row: Method, params: Params | undefined, { origin, token }: Asking): Maybe<unknown> {
    const admitted = this.#identification.admit(row.access, origin, token)
    return after(admitted, (caller) => row.run(params, caller, this.#services))
  }

  #logCause({ name, cause }: Failure): void {
    if (cause !== undefined) this.#log.error({ err: cause, failure: name }, 'a call failed')
  }
}

function refusal(id: JSONRPCID, failure: Failure): JSONRPCErrorResponse {
  const { code, message, data } = failure.toErrorObject()
  return createJSONRPCErrorResponse(id, code, message, data)
}

function unknownMethod(id: JSONRPCID, method: string): JSONRPCErrorResponse {
  return refusal(id, new Failure('method_not_found', reasonFor(method)))
}

function reasonFor(method: string): string {
  const shown = method.length > 64 ? `${method.slice(0, 64).toWellFormed()}…` : method
  return `There is no method "${shown}"; rpc.discover lists those that exist.`
}
