import { setImmediate as nextTurn } from 'node:timers/promises'
import { asFailure, Failure, statusOfCode } from '../protocol/failures.ts'
import {
  type Call,
  type Element,
  encodeError,
  encodeFailure,
  encodeResult,
  type MessageLimits,
  parseMessage,
} from '../protocol/jsonrpc.ts'
import type { Dispatcher } from './dispatch.ts'
import { bearerOf } from './identify.ts'
import { begin, end } from './in-flight.ts'
import type { Current } from './limits.ts'
import type { Origin } from './origin.ts'

/** A message's answer. No body: nothing is answered. */
export interface Reply {
  /** For HTTP; a batch is 200 whatever its elements came to. */
  readonly status: number
  readonly body: string | undefined
  /** A credential came along, so that a 401 is about that one. */
  readonly presented: boolean
}

/** The answer to one element of a message. */
interface Answer {
  readonly status: number
  readonly text: string | undefined
}

/** Calls of a batch that run side by side before the event loop has a turn. */
const SLICE = 50

const SILENCE: Answer = { status: 204, text: undefined }

/** A message's text in, its answer's text out: what all transports share. */
export class Exchange {
  readonly #dispatcher: Dispatcher
  readonly #limits: Current<MessageLimits>

  constructor(dispatcher: Dispatcher, limits: Current<MessageLimits>) {
    this.#dispatcher = dispatcher
    this.#limits = limits
  }

  /** Never rejects. The calls are counted as under way on their connection from the moment this is called. */
  async answer(text: string, origin: Origin): Promise<Reply> {
    try {
      const message = parseMessage(text, this.#limits())
      return message.batch
        ? await this.#answerBatch(message.elements, origin)
        : await this.#answerSingle(message.element, origin)
    } catch (thrown) {
      const failure = asFailure(thrown)
      return { status: failure.status, body: encodeFailure(failure), presented: false }
    }
  }

  async #answerSingle(element: Element, origin: Origin): Promise<Reply> {
    refuseTwoCredentials([element], origin)
    const { connection } = origin
    begin(connection, 1)
    const { status, text } = await this.#answerElement(element, origin)
    end(connection, 1)
    return {
      status,
      body: text,
      presented: bearerOf(origin.authorization) !== undefined || carriesToken(element),
    }
  }

  /** Answers come in the order of the calls. What a vanished client still had in its batch is not begun. */
  async #answerBatch(elements: readonly Element[], origin: Origin): Promise<Reply> {
    refuseTwoCredentials(elements, origin)
    const { connection } = origin
    begin(connection, elements.length)
    const texts: string[] = []
    for (let at = 0; at < elements.length && !connection.closed; at += SLICE) {
      if (at > 0) await nextTurn()
      const slice = elements.slice(at, at + SLICE).map((element) => this.#answerElement(element, origin))
      for (const { text } of await Promise.all(slice)) if (text !== undefined) texts.push(text)
    }
    end(connection, elements.length)
    if (texts.length === 0) return { status: 204, body: undefined, presented: false }
    return { status: 200, body: `[${texts.join(',')}]`, presented: false }
  }

  async #answerElement(element: Element, origin: Origin): Promise<Answer> {
    if ('failure' in element) return refused(element.failure, element.id)
    const { call, token } = takeToken(element)
    const response = await this.#dispatcher.dispatch(call, { origin, token })
    if (response === null || call.id === undefined) return SILENCE
    if (response.error !== undefined) {
      return { status: statusOfCode(response.error.code), text: encodeError(call.id, response.error) }
    }
    return { status: 200, text: encodeResult(call.id, response.result) }
  }
}

function refused(failure: Failure, id: Call['id']): Answer {
  return { status: failure.status, text: encodeFailure(failure, id ?? null) }
}

/** The call without its `Token`, which is a credential and no parameter of the method. */
function takeToken(call: Call): { call: Call; token: string | undefined } {
  if (!carriesToken(call)) return { call, token: undefined }
  const { Token, ...params } = call.params as Record<string, unknown>
  // Something else than text is a malformed credential, not a missing one.
  return { call: { ...call, params }, token: typeof Token === 'string' ? Token : '' }
}

function carriesToken(element: Element): boolean {
  if ('failure' in element || element.params === undefined) return false
  return !Array.isArray(element.params) && Object.hasOwn(element.params, 'Token')
}

/** RFC 6750 section 2: one method of sending a token in a request. */
function refuseTwoCredentials(elements: readonly Element[], origin: Origin): void {
  if (origin.tokenOverrides || origin.authorization === undefined) return
  if (elements.some(carriesToken)) {
    throw new Failure(
      'invalid_request',
      'Send either an Authorization header or a Token in the parameters, not both.',
    )
  }
}
