import type { Logger } from 'pino'
import { Failure } from '../../protocol/failures.ts'
import type { Params } from '../../protocol/jsonrpc.ts'
import { UpstreamError, Verbatim } from '../../protocol/verbatim.ts'
import { Circuit } from './circuit.ts'
import { Credential, type UpstreamCredential } from './credential.ts'
import { HttpLink } from './http-link.ts'
import { holdsUnsafeInteger, memberText, onOneLine } from './json-text.ts'
import { LineLink, programPipe, socketPipe } from './line-link.ts'
import { broken, type Link, late, type OnMessage } from './link.ts'
import type { Patience } from './patience.ts'
import { parseUpstream } from './place.ts'
import type { SlotKeeper } from './slots.ts'
import { WebSocketLink } from './ws-link.ts'

const TELL_EVERY_MS = 5_000

export interface UpstreamOptions {
  readonly name: string
  /** See parseUpstream. */
  readonly url: string
  readonly credential: UpstreamCredential | undefined
  /** Milliseconds for a call, waiting for its turn included. */
  readonly timeout: number
  /** Calls at a time. */
  readonly concurrency: number
}

/** A JSON-RPC service behind the gate. Whatever it does, a call ends in time, with its answer or with `upstream`. */
export class Upstream {
  readonly #options: UpstreamOptions
  readonly #log: Logger
  readonly #credential: Credential
  readonly #link: Link
  readonly #slots: SlotKeeper
  readonly #circuit = new Circuit()
  #lastId = 0
  #told = Number.NEGATIVE_INFINITY

  constructor(options: UpstreamOptions, slots: SlotKeeper, onMessage: OnMessage, log: Logger) {
    this.#options = options
    this.#log = log
    this.#credential = new Credential(options.credential)
    this.#slots = slots
    this.#link = linkTo(options, this.#credential, onMessage)
  }

  /**
   * Its answer's `result`, as it is but for line breaks. Rejects with `upstream` (502, 504 when late), `limited`, `invalid_params`, or what
   * the upstream itself refuses with. `patience` ends when nobody waits for the answer any more.
   */
  async call(
    method: string,
    params: Params | undefined,
    patience: Patience,
    bare = false,
  ): Promise<Verbatim> {
    if (holdsUnsafeInteger(params))
      throw new Failure(
        'invalid_params',
        'A number is beyond ±(2^53-1): it would not reach the service as it is.',
      )
    const trial = this.#circuit.enter()
    const timer = setTimeout(() => patience.end(late()), this.#options.timeout)
    try {
      const id = ++this.#lastId
      const answer = await this.#exchange(id, method, params, patience, bare)
      this.#circuit.succeeded()
      if (answer instanceof UpstreamError) throw answer
      return answer
    } catch (thrown) {
      throw this.#judge(thrown, patience, trial)
    } finally {
      clearTimeout(timer)
    }
  }

  async #exchange(
    id: number,
    method: string,
    params: Params | undefined,
    patience: Patience,
    bare: boolean,
  ): Promise<Verbatim | UpstreamError> {
    const slot = this.#slots.take(patience)
    if (slot !== undefined) await slot
    try {
      const given = bare ? params : this.#credential.params(params)
      const rest = given === undefined ? '' : `,"params":${JSON.stringify(given)}`
      const text = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}${rest}}`
      return await this.#link.request(text, id, patience, (answer) => readAnswer(answer, id))
    } finally {
      this.#slots.give()
    }
  }

  /** What a failed call says about the upstream. */
  #judge(thrown: unknown, { reason }: Patience, trial: boolean): unknown {
    if (thrown instanceof UpstreamError) return thrown
    const failure = broken(reason ?? thrown)
    if (failure.name !== 'upstream' || failure === ABANDONED) this.#circuit.abandoned(trial)
    else this.#circuit.failed(trial)
    if (failure.cause !== undefined) this.#tell(failure.cause)
    return failure.cause === undefined ? failure : new Failure(failure.name, failure.data)
  }

  /** One line in a while, however many calls fail. */
  #tell(err: unknown): void {
    const now = performance.now()
    if (now - this.#told < TELL_EVERY_MS) return
    this.#told = now
    const { name } = this.#options
    this.#log.warn({ err, event: 'upstream', upstream: name }, `upstream ${name} failed`)
  }

  /** Whether it has answered lately, as far as it was asked. */
  get isUp(): boolean {
    return !this.#circuit.isOpen
  }

  close(): void {
    this.#link.close()
  }
}

/** Why a call is aborted whose caller has gone, or has lost the right to its answer. */
export const ABANDONED = new Failure('upstream', 'The call was abandoned.')

function linkTo({ url }: UpstreamOptions, credential: Credential, onMessage: OnMessage): Link {
  const field = () => credential.field()
  const headers = async () => Object.fromEntries([field()].filter((found) => found !== undefined))
  const place = parseUpstream(url)
  switch (place?.kind) {
    case undefined:
      throw new RangeError(`not a place: ${url}`)
    case 'http':
      return new HttpLink(place, field)
    case 'ws':
      return new WebSocketLink(place.url, headers, onMessage)
    case 'tcp':
      return new LineLink(socketPipe({ host: place.host, port: place.port }), onMessage)
    case 'unix':
      return new LineLink(socketPipe({ path: place.path }), onMessage)
    case 'exec':
      return new LineLink(programPipe(place.argv), onMessage)
  }
}

/** UpstreamError: a refusal of the upstream's own. Throws where it is no answer to that call. */
function readAnswer(text: string, id: number): Verbatim | UpstreamError {
  const answer: unknown = JSON.parse(text)
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
    throw new Error('the answer is no object')
  const { error, id: answered } = answer as { error?: unknown; id?: unknown }
  if (answered !== id) throw new Error('the answer is to another call')
  if (error !== undefined && error !== null)
    return UpstreamError.from(error, onOneLine(memberText(text, 'error') ?? ''))
  const result = memberText(text, 'result')
  if (result === undefined) throw new Error('the answer has neither result nor error')
  return new Verbatim(onOneLine(result))
}
