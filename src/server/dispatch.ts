import type { Logger } from 'pino'
import type { AnonymousCaller, Caller } from '../auth/caller.ts'
import { storeFailure } from '../auth/ledger.ts'
import type { Method, Services } from '../methods/method.ts'
import { asFailure, Failure } from '../protocol/failures.ts'
import type { Call, Params } from '../protocol/jsonrpc.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import { Verbatim } from '../protocol/verbatim.ts'
import type { Identification } from './identify.ts'
import type { Origin } from './origin.ts'
import type { Telemetry } from './telemetry.ts'

/** What became of a call: its result as JSON text, or why not. */
export type Outcome = { readonly result: string } | { readonly failure: Failure }

/**
 * The one door. Every call on every transport takes these steps in this order: find the row, identify, refuse or not,
 * validate, handle. A call of a cached token that needs no write goes through without a turn of the event loop: handing
 * it to json-rpc-2.0's server, which is all promises, took a quarter of the whole request (test/bench, performance notes).
 */
export class Dispatcher {
  readonly #find: (name: string) => Method | undefined
  readonly #identification: Identification
  readonly #services: Services
  readonly #telemetry: Telemetry
  readonly #log: Logger

  constructor(
    services: Services,
    find: (name: string) => Method | undefined,
    identification: Identification,
    telemetry: Telemetry,
    log: Logger,
  ) {
    this.#find = find
    this.#identification = identification
    this.#services = services
    this.#telemetry = telemetry
    this.#log = log
  }

  /** `token`: the call's own `Token` member. Never throws, never rejects. */
  dispatch({ method, params }: Call, origin: Origin, token: string | undefined): Maybe<Outcome> {
    const row = this.#find(method)
    return this.#settle(row, () => {
      if (row === undefined) throw new Failure('method_not_found', reasonFor(method))
      const admitted = this.#identification.admit(row, origin, token)
      return after(admitted, (caller) => row.run(params, caller, this.#services))
    })
  }

  /** The rest of the way for a caller whom a dialect has admitted in its own words. Never throws, never rejects. */
  run(row: Method, params: Params, caller: Caller | AnonymousCaller): Maybe<Outcome> {
    return this.#settle(row, () => row.run(params, caller, this.#services))
  }

  #settle(row: Method | undefined, work: () => Maybe<unknown>): Maybe<Outcome> {
    const started = performance.now()
    return after(this.#attempt(work), (outcome) => {
      this.#telemetry.observe(
        row?.label ?? row?.name,
        'failure' in outcome ? outcome.failure.name : 'ok',
        started,
      )
      return outcome
    })
  }

  #attempt(work: () => Maybe<unknown>): Maybe<Outcome> {
    try {
      const result = work()
      return result instanceof Promise ? result.then(inWords).catch(this.#refuse) : inWords(result)
    } catch (thrown) {
      return this.#refuse(thrown)
    }
  }

  readonly #refuse = (thrown: unknown): Outcome => {
    const failure = asFailure(storeFailure(thrown))
    if (failure.cause !== undefined)
      this.#log.error({ err: failure.cause, failure: failure.name }, 'a call failed')
    return { failure }
  }
}

// Here, so that a result for which there are no words is a failure of its call like any other.
function inWords(result: unknown): Outcome {
  return { result: result instanceof Verbatim ? result.text : JSON.stringify(result) }
}

function reasonFor(method: string): string {
  const shown = method.length > 64 ? `${method.slice(0, 64).toWellFormed()}…` : method
  return `There is no method "${shown}"; rpc.discover lists those that exist.`
}
