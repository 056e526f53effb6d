import { setImmediate as nextTurn } from 'node:timers/promises'
import { asFailure, Failure } from '../protocol/failures.ts'
import {
  type Call,
  type Element,
  encodeFailure,
  encodeResult,
  type MessageLimits,
  parseMessage,
} from '../protocol/jsonrpc.ts'
import { after, type Maybe } from '../protocol/maybe.ts'
import type { Dispatcher, Outcome } from './dispatch.ts'
import { begin, end } from './in-flight.ts'
import type { Current } from './limits.ts'
import type { Connection, Origin } from './origin.ts'

/** An answer. No body: nothing is answered. */
export interface Reply {
  /** For HTTP; a batch is 200 whatever its elements came to. */
  readonly status: number
  readonly body: string | undefined
  /** Header fields that go with a refusal. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Calls of a batch that run side by side before the event loop has a turn. */
const SLICE = 50

const SILENCE: Reply = { status: 204, body: undefined }

/** A message's text in, its answer's text out: what all transports share. */
export class Exchange {
  readonly #dispatcher: Dispatcher
  readonly #limits: Current<MessageLimits>

  constructor(dispatcher: Dispatcher, limits: Current<MessageLimits>) {
    this.#dispatcher = dispatcher
    this.#limits = limits
  }

  /** Never throws, never rejects. The calls are counted as under way on their connection from the moment this is called. */
  answer(text: string, origin: Origin): Maybe<Reply> {
    try {
      const message = parseMessage(text, this.#limits())
      if (!message.batch) {
        refuseTwoCredentials(message.element, origin)
        return this.#answerSingle(message.element, origin)
      }
      for (const element of message.elements) refuseTwoCredentials(element, origin)
      return this.#answerBatch(message.elements, origin)
    } catch (thrown) {
      return refused(asFailure(thrown))
    }
  }

  #answerSingle(element: Element, origin: Origin): Maybe<Reply> {
    begin(origin.connection, 1)
    return after(this.#answerElement(element, origin), (reply) => {
      end(origin.connection, 1)
      return reply
    })
  }

  /** Answers come in the order of the calls. What a vanished client still had in its batch is not begun. */
  async #answerBatch(elements: readonly Element[], origin: Origin): Promise<Reply> {
    const { connection } = origin
    begin(connection, elements.length)
    const bodies: string[] = []
    for (let at = 0; at < elements.length && !connection.closed; at += SLICE) {
      const answer = () =>
        Promise.all(elements.slice(at, at + SLICE).map((element) => this.#answerElement(element, origin)))
      for (const { body } of await inTurn(connection, at === 0, answer))
        if (body !== undefined) bodies.push(body)
    }
    end(connection, elements.length)
    return bodies.length === 0 ? SILENCE : { status: 200, body: `[${bodies.join(',')}]` }
  }

  #answerElement(element: Element, origin: Origin): Maybe<Reply> {
    if ('failure' in element) return refused(element.failure, element.id)
    if (!carriesToken(element)) return this.#answerCall(element, origin, undefined)
    // Taken out, since it is a credential and no parameter. Something else than text is a malformed one, not a missing one.
    const { Token, ...params } = element.params as Record<string, unknown>
    return this.#answerCall({ ...element, params }, origin, typeof Token === 'string' ? Token : '')
  }

  #answerCall(call: Call, origin: Origin, token: string | undefined): Maybe<Reply> {
    return after(this.#dispatcher.dispatch(call, origin, token), (outcome) => wordReply(call, outcome))
  }
}

/** The first slice goes on at once; before each other one everybody else has a turn, and strangers wait for theirs. */
async function inTurn<T>(connection: Connection, isFirst: boolean, work: () => Promise<T>): Promise<T> {
  if (isFirst) return work()
  if (!connection.known && !connection.queued) return connection.commons.ask(connection, work)
  await nextTurn()
  return work()
}

function wordReply({ id }: Call, outcome: Outcome): Reply {
  if (id === undefined) return SILENCE
  return 'failure' in outcome
    ? refused(outcome.failure, id)
    : { status: 200, body: encodeResult(id, outcome.result) }
}

function refused(failure: Failure, id: Call['id'] = null): Reply {
  return { status: failure.status, body: encodeFailure(failure, id), headers: failure.headers }
}

function carriesToken(element: Element): boolean {
  if ('failure' in element || element.params === undefined) return false
  return !Array.isArray(element.params) && Object.hasOwn(element.params, 'Token')
}

/** RFC 6750 section 2: one method of sending a token in a request. */
function refuseTwoCredentials(element: Element, origin: Origin): void {
  if (origin.tokenOverrides || origin.authorization === undefined || !carriesToken(element)) return
  throw new Failure(
    'invalid_request',
    'Send either an Authorization header or a Token in the parameters, not both.',
  )
}
