import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { METHODS } from '../../src/methods/index.ts'
import { FAILURES, Failure } from '../../src/protocol/failures.ts'
import { type Element, type Message, parseMessage } from '../../src/protocol/jsonrpc.ts'
import { startDaemon } from '../support/daemon.ts'
import { holds } from '../support/property.ts'
import { http, type Response } from '../support/talk.ts'
import { batchText, callText, messageText } from './json-texts.ts'
import { type Due, type Expected, expectedFor, isLargeGarbage } from './jsonrpc-model.ts'
import { assertUnharmed } from './unharmed.ts'

const LIMITS = { depth: 64, batch: 1000 }
const daemon = await startDaemon({ after })

/** What the reader makes of a text, in the words of the model. */
function reading(text: string, limits = LIMITS): Expected {
  let message: Message
  try {
    message = parseMessage(text, limits)
  } catch (thrown) {
    assert.ok(thrown instanceof Failure, String(thrown))
    return { batch: false, due: [{ id: null, code: FAILURES[thrown.name].code }] }
  }
  const elements = message.batch ? message.elements : [message.element]
  return { batch: message.batch, due: elements.flatMap(dueFor) }
}

function dueFor(element: Element): Due[] {
  if ('failure' in element) return [{ id: element.id, code: FAILURES[element.failure.name].code }]
  return element.id === undefined ? [] : [{ id: element.id, method: element.method }]
}

const decidedText = messageText.filter((text) => !isLargeGarbage(text))

describe('the reader of JSON-RPC', () => {
  it('reads every text as the standard has it, and throws nothing but refusals', () =>
    holds(
      fc.property(decidedText, (text) => assert.deepEqual(reading(text), expectedFor(text, LIMITS))),
      2000,
    ))

  it('keeps small limits as it keeps large ones', () =>
    holds(
      fc.property(
        fc.oneof(callText, batchText),
        fc.record({ depth: fc.integer({ min: 1, max: 6 }), batch: fc.integer({ min: 1, max: 4 }) }),
        (text, limits) => assert.deepEqual(reading(text, limits), expectedFor(text, limits)),
      ),
      800,
    ))
})

const OURS = new Set(METHODS.map(({ name }) => name))

/** Nobody has a token here: a call of ours is told so, and any other that there is no such method. */
function codeFor({ code, method = '' }: Due): number {
  return code ?? (OURS.has(method) ? FAILURES.unauthenticated.code : FAILURES.method_not_found.code)
}

function assertAnswered(body: string, { batch, due }: Expected): void {
  assert.equal(body === '', due.length === 0)
  if (body === '') return
  const answer = JSON.parse(body) as Response | Response[]
  assert.equal(Array.isArray(answer), batch)
  const answers = [answer].flat()
  const seen = answers.map(({ jsonrpc, id, error }) => ({ jsonrpc, id, code: error?.code }))
  const wanted = due.map((one) => ({ jsonrpc: '2.0', id: one.id, code: codeFor(one) }))
  assert.deepEqual(seen, wanted)
  for (const one of answers) assert.deepEqual(Object.keys(one), ['jsonrpc', 'error', 'id'])
}

describe('the daemon, told all kinds of things over HTTP', () => {
  it('answers each call by its id, a batch in its order and in one array, a notification not at all', async () => {
    await holds(
      fc.asyncProperty(decidedText, fc.constantFrom('unix', 'tcp'), async (text, door) => {
        const { status, body } = await http(daemon, text, { door })
        const expected = expectedFor(text, LIMITS)
        assertAnswered(body, expected)
        const [first] = expected.due
        const isRefused = !expected.batch && first !== undefined
        const unauthenticated = isRefused && codeFor(first) === FAILURES.unauthenticated.code
        assert.equal(status, first === undefined ? 204 : !isRefused ? 200 : unauthenticated ? 401 : 400)
      }),
      500,
    )
    await assertUnharmed(daemon)
  })

  it('takes no bytes for text that are none', async () => {
    const spoilt = fc
      .tuple(callText, fc.nat(), fc.integer({ min: 0x80, max: 0xff }))
      .map(([text, at, byte]) => {
        const bytes = Buffer.from(text)
        return Buffer.concat([
          bytes.subarray(0, at % bytes.length),
          Buffer.from([byte]),
          bytes.subarray(at % bytes.length),
        ])
      })
    const any = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    await holds(
      fc.asyncProperty(fc.oneof(spoilt, any), async (bytes) => {
        const { body } = await http(daemon, bytes)
        const text = bytes.toString('utf8')
        const isText = Buffer.from(text).equals(bytes)
        assertAnswered(body, expectedFor(isText ? text : 'not JSON', LIMITS))
      }),
      150,
    )
    await assertUnharmed(daemon)
  })
})
