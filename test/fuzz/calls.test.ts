import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { METHODS } from '../../src/methods/index.ts'
import type { Method } from '../../src/methods/method.ts'
import { ZABBIX_METHODS } from '../../src/methods/zabbix.ts'
import { FAILURES, Failure } from '../../src/protocol/failures.ts'
import { startDaemon } from '../support/daemon.ts'
import { holds } from '../support/property.ts'
import { broken, toJson } from './broken.ts'
import { Callers, type Who } from './callers.ts'
import { type Door, tell } from './calling.ts'
import { fromSchema } from './from-schema.ts'
import { assertUnharmed } from './unharmed.ts'

/** Whoever calls whichever method with whatever parameters, through each door: a result, or a refusal that says why. */

const daemon = await startDaemon({ after })
const callers = new Callers(daemon)

/** Nothing that a caller can say is a fault of the daemon. */
const FAULTS = new Set(
  (
    ['internal', 'unavailable', 'upstream', 'parse_error', 'method_not_found', 'unauthenticated'] as const
  ).map((name) => FAILURES[name].code) as number[],
)

const who = fc.constantFrom<Who>('superadmin', 'superadmin', 'superadmin', 'user', 'user', 'nobody')

function doorsOf(row: Method): readonly Door[] {
  const own: readonly Door[] = METHODS.includes(row) ? ['unix', 'tcp', 'line'] : []
  return ZABBIX_METHODS.includes(row) ? [...own, 'zabbix'] : own
}

/** Small ids are those of tokens and users that there are, short texts secrets: else hardly a call would be about one. */
function aimed(value: unknown, row: Method, key = ''): unknown {
  if (typeof value === 'string' && /^[1-9]\d?$/.test(value)) {
    const isUser = key === '' ? row.name.startsWith('user.') : /userid/.test(key)
    const isToken = key === '' ? row.name.startsWith('token.') : /tokenid/.test(key)
    const ids = isUser ? callers.ids.users : isToken ? callers.ids.tokens : []
    return ids.length === 0 ? value : ids[Number(value) % ids.length]
  }
  if (value === 'a' || value === 'b') return callers.told[key] ?? value
  if (Array.isArray(value)) return value.map((inner) => aimed(inner, row, key))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, aimed(inner, row, name)]))
}

/** The words with which the row itself refuses parameters; undefined: it takes them. */
function refusalOf({ params }: Method, value: unknown): string | undefined {
  try {
    params.read(value, '/')
    return undefined
  } catch (thrown) {
    assert.ok(thrown instanceof Failure, String(thrown))
    return thrown.data
  }
}

/** As many of the leading parameters as there are, by position. */
function byPosition({ params: { fields = {} } }: Method, value: object): unknown[] {
  const names = Object.keys(fields)
  const gap = names.findIndex((name) => !Object.hasOwn(value, name))
  return names.slice(0, gap < 0 ? names.length : gap).map((name) => (value as Record<string, unknown>)[name])
}

function byName({ params: { fields = {} } }: Method, values: readonly unknown[]): object {
  return Object.fromEntries(values.map((value, at) => [Object.keys(fields)[at] ?? '', value]))
}

interface Asked {
  readonly row: Method
  readonly by: Who
  readonly door: Door
  readonly params: string
  /** The same parameters by name. */
  readonly value: unknown
}

function wordCall(row: Method, by: Who, door: Door, drawn: unknown, positional: boolean): Asked {
  const value = aimed(drawn, row)
  const isTable = typeof value === 'object' && value !== null && !Array.isArray(value)
  // A line carries its token among the parameters by name.
  const isByPosition = positional && isTable && row.params.fields !== undefined
  const caller = door === 'line' && (isByPosition || !isTable) ? 'nobody' : by
  if (!isByPosition) return { row, by: caller, door, params: toJson(value), value: JSON.parse(toJson(value)) }
  const values = byPosition(row, value)
  return { row, by: caller, door, params: toJson(values), value: byName(row, JSON.parse(toJson(values))) }
}

/** The code that a call must be refused with before it is looked at; undefined: it is looked at. */
function barrierFor({ row: { access }, by, door, params }: Asked): number | undefined {
  // As in PHP: half a character is no JSON there. JSON.stringify() escapes nothing else like that.
  if (door === 'zabbix' && /\\ud[89a-f]/.test(params.replaceAll('\\\\', ''))) return FAILURES.parse_error.code
  if (access === 'local') return undefined
  if (by === 'nobody') return door === 'zabbix' ? FAILURES.invalid_params.code : FAILURES.unauthenticated.code
  if (by === 'superadmin' || access === 'user') return undefined
  return door === 'zabbix' ? FAILURES.refused_object.code : FAILURES.forbidden.code
}

async function ask(asked: Asked): Promise<void> {
  const { row, by, door, params, value } = asked
  const token = await callers.token(by)
  const before = await callers.lastLine()
  const { status = 200, answer } = await tell(daemon, door, { method: row.name, params, token })
  const { jsonrpc, result, error } = answer
  assert.deepEqual([jsonrpc, (result === undefined) === (error === undefined)], ['2.0', false])
  assert.equal(status >= 500, false, JSON.stringify(answer))
  const barrier = barrierFor(asked)
  const refusal = refusalOf(row, value)
  if (barrier !== undefined) assert.equal(error?.code, barrier)
  else if (refusal !== undefined) {
    assert.equal(error?.code, FAILURES.invalid_params.code)
    assert.equal(error?.data, refusal)
  } else if (error !== undefined) assert.equal(FAULTS.has(error.code), false, JSON.stringify(error))
  callers.remember(result)
  if (error === undefined && row.effect === 'write') callers.forget()
  // A refusal, or a question, changes nothing.
  else assert.deepEqual(await callers.linesSince(before), [])
}

describe('every method, whoever calls it with whatever parameters', () => {
  for (const row of new Set([...METHODS, ...ZABBIX_METHODS])) {
    const valid = fromSchema(row.params.json)
    it(`${row.name} answers as its row says, and changes nothing when it refuses`, async () => {
      // What only asks leaves everything there for the next.
      if (row.effect === 'write' || callers.ids.users.length === 0) await callers.setStage()
      const call = fc
        .tuple(who, fc.constantFrom(...doorsOf(row)), fc.oneof(valid, broken(valid)), fc.boolean())
        // The reader of messages wants a list or an object before any row sees them.
        .filter(([, , drawn]) => typeof drawn === 'object' && drawn !== null)
      await holds(
        fc.asyncProperty(call, ([by, door, drawn, positional]) =>
          ask(wordCall(row, by, door, drawn, positional)),
        ),
        12,
      )
      await assertUnharmed(daemon)
    })
  }

  it('after all of this the store is as it should be', async () => {
    assert.deepEqual(await callers.findings(), [])
  })
})
