import type { TokenCaller } from '../auth/caller.ts'
import type { Verifier } from '../auth/verifier.ts'
import { tokenRefusal } from '../auth/zabbix-auth.ts'
import type { Method } from '../methods/method.ts'
import { ZABBIX_METHODS } from '../methods/zabbix.ts'
import { asFailure, Failure, type FailureName } from '../protocol/failures.ts'
import { encodeError, encodeResult, type Id } from '../protocol/jsonrpc.ts'
import type { Dispatcher, Outcome } from './dispatch.ts'
import { type Identification, mayCall } from './identify.ts'
import { begin, end } from './in-flight.ts'
import type { Current, Limits } from './limits.ts'
import type { Origin } from './origin.ts'
import { parseZabbix, type ZabbixCall, type ZabbixElement } from './zabbix-envelope.ts'

export interface ZabbixParts {
  readonly dispatcher: Dispatcher
  readonly identification: Identification
  readonly verifier: Verifier
  readonly limits: Current<Limits>
  /** Names of methods that are answered without a credential, as Zabbix does. */
  readonly anonymous: Current<readonly string[]>
}

/** As PHP folds names: ASCII alone. */
const lower = (name: string) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

const ROWS = new Map(ZABBIX_METHODS.map((row) => [lower(row.name), row]))
const APIS = new Set([...ROWS.keys()].map((name) => name.split('.')[0]))

/** Zabbix's own codes and messages (its section 2); what has none there is an internal error. */
const ZABBIX_ERRORS: Partial<Record<FailureName, { code: number; message: string }>> = {
  parse_error: { code: -32700, message: 'Parse error' },
  invalid_request: { code: -32600, message: 'Invalid request.' },
  method_not_found: { code: -32601, message: 'Method not found.' },
  invalid_params: { code: -32602, message: 'Invalid params.' },
  conflict: { code: -32602, message: 'Invalid params.' },
  refused_object: { code: -32500, message: 'Application error.' },
  forbidden: { code: -32500, message: 'Application error.' },
}

/** The Zabbix dialect of the one door: its envelope, its order of checks and its words. Always HTTP 200. */
export class ZabbixDialect {
  readonly #parts: ZabbixParts

  constructor(parts: ZabbixParts) {
    this.#parts = parts
  }

  /** The body of the answer; empty where there was nothing but notifications. Never rejects. */
  async answer(text: string, origin: Origin): Promise<string> {
    try {
      const { batch, elements } = parseZabbix(text, this.#parts.limits().batch)
      const bodies = await this.#answerAll(elements, origin)
      return ascii(batch && bodies.length > 0 ? `[${bodies.join(',')}]` : bodies.join(''))
    } catch (thrown) {
      return ascii(wordFailure(asFailure(thrown), null))
    }
  }

  /** One after the other, in order; one header serves them all, and is looked up once. */
  async #answerAll(elements: readonly ZabbixElement[], origin: Origin): Promise<string[]> {
    const request = new ZabbixRequest(this.#parts, origin)
    const bodies: string[] = []
    begin(origin.connection, elements.length)
    for (const element of elements) {
      if (origin.connection.closed) break
      if ('failure' in element) {
        bodies.push(wordFailure(element.failure, element.id))
        continue
      }
      const outcome = await request.run(element.call)
      if (element.call.id !== undefined) bodies.push(wordOutcome(outcome, element.call.id))
    }
    end(origin.connection, elements.length)
    return bodies
  }
}

/** One HTTP request: whom its header names is settled at the first call that needs it. */
class ZabbixRequest {
  readonly #parts: ZabbixParts
  readonly #origin: Origin
  #caller: TokenCaller | undefined

  constructor(parts: ZabbixParts, origin: Origin) {
    this.#parts = parts
    this.#origin = origin
  }

  /** Zabbix's order: the method exists, then who asks, then whether they may; the rest is the row's. */
  async run({ method, params }: ZabbixCall): Promise<Outcome> {
    try {
      const row = findRow(method)
      if (this.#parts.anonymous().includes(row.name)) {
        this.#refuseCredential(method)
        const { address } = this.#origin
        const outcome = await this.#parts.dispatcher.run(row, params, { kind: 'anonymous', address })
        if ('failure' in outcome) await this.#parts.identification.countFailure(this.#origin)
        return outcome
      }
      const caller = await this.#admit()
      if (!mayCall(caller, row)) throw new Failure('forbidden', `No permissions to call "${method}".`)
      return await this.#parts.dispatcher.run(row, params, caller)
    } catch (thrown) {
      return { failure: asFailure(thrown) }
    }
  }

  #refuseCredential(method: string): void {
    if (credentialOf(this.#origin) === undefined) return
    throw new Failure('invalid_params', `The "${method}" method must be called without authorization header.`)
  }

  /** Looked up once, but each call is a use of the token. */
  async #admit(): Promise<TokenCaller> {
    const known = this.#caller
    if (known === undefined) {
      this.#caller = await this.#authenticate()
      return this.#caller
    }
    const caller = await this.#parts.identification.again(known, this.#origin)
    if (caller === undefined) throw new Failure('invalid_params', 'Not authorized.')
    return { ...caller, fixed: true }
  }

  async #authenticate(): Promise<TokenCaller> {
    const credential = credentialOf(this.#origin)
    if (credential === undefined) throw new Failure('invalid_params', 'Not authorized.')
    const { identification, verifier } = this.#parts
    const caller = await identification.identify(this.#origin, credential)
    if (caller === undefined) throw await tokenRefusal(verifier, credential, 'header')
    return caller
  }
}

/** Names match in any case, a third part is ignored, and messages echo what the caller wrote. */
function findRow(name: string): Method {
  const [api = '', method = ''] = name.split('.')
  if (!APIS.has(lower(api))) throw new Failure('method_not_found', `Incorrect API "${api}".`)
  const row = ROWS.get(lower(`${api}.${method}`))
  if (row === undefined) throw new Failure('method_not_found', `Incorrect method "${api}.${method}".`)
  return row
}

/** Exactly `Bearer` and one space; whatever follows is the credential. Anything else counts as none. */
function credentialOf({ authorization }: Origin): string | undefined {
  return authorization?.startsWith('Bearer ') ? authorization.slice(7) || undefined : undefined
}

function wordOutcome(outcome: Outcome, id: Id): string {
  return 'failure' in outcome ? wordFailure(outcome.failure, id) : encodeResult(id, outcome.result)
}

function wordFailure({ name, data }: Failure, id: Id): string {
  const known = ZABBIX_ERRORS[name]
  if (known !== undefined) return encodeError(id, { ...known, data: data ?? '' })
  return encodeError(id, { code: -32603, message: 'Internal error.', data: data ?? 'System error occurred.' })
}

/** As PHP prints JSON: characters beyond ASCII escaped. */
function ascii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
