import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { METHODS } from '../../src/methods/index.ts'
import type { Method } from '../../src/methods/method.ts'
import { ZABBIX_METHODS } from '../../src/methods/zabbix.ts'
import { Failure } from '../../src/protocol/failures.ts'
import type { JsonSchema } from '../../src/protocol/schema.ts'
import { holds } from '../support/property.ts'
import { broken, toJson } from './broken.ts'
import { fromSchema } from './from-schema.ts'

const ROWS = [...new Set([...METHODS, ...ZABBIX_METHODS])]
const copy = (value: unknown) => JSON.parse(JSON.stringify(value))

/** The members of every object that is closed, wherever it is. */
function isClosed(json: unknown): boolean {
  return (json as { additionalProperties?: boolean }).additionalProperties === false
}

function membersOf(json: JsonSchema): string[] {
  return Object.keys((json.properties as object | undefined) ?? {})
}

/** Each of them stands once for each member. */
const PLAIN: readonly unknown[] = [
  null,
  true,
  '',
  'x',
  0,
  -1,
  Number.POSITIVE_INFINITY,
  [],
  {},
  [null],
  [[]],
  [{}],
]

function assertReadOrRefused({ read }: Method['params'], value: unknown): void {
  try {
    assert.equal(typeof JSON.stringify(read(value, '/')), 'string')
  } catch (thrown) {
    assert.ok(thrown instanceof Failure, String(thrown))
    assert.equal(thrown.name, 'invalid_params')
    assert.match(thrown.data ?? '', /^Invalid parameter "\/.*": .+\.$/s)
  }
}

describe('the schema of every method’s parameters', () => {
  for (const { name, params } of ROWS) {
    it(`${name}: what the document allows is read`, () =>
      holds(
        fc.property(fromSchema(params.json), (value) => {
          params.read(copy(value), '/')
        }),
        60,
      ))

    it(`${name}: what is not allowed is refused in words, and what is read can be written down`, () => {
      for (const member of membersOf(params.json))
        for (const value of PLAIN) assertReadOrRefused(params, { [member]: value })
      return holds(
        fc.property(broken(fromSchema(params.json)), (value) =>
          assertReadOrRefused(params, JSON.parse(toJson(value))),
        ),
        80,
      )
    })

    if (isClosed(params.json))
      it(`${name}: a member that there is not is refused, whatever it is called`, () =>
        holds(
          fc.property(
            fromSchema(params.json),
            fc.oneof(fc.constantFrom('__proto__', 'constructor', 'x', ''), fc.string({ unit: 'binary' })),
            fc.jsonValue({ maxDepth: 1 }),
            (value, key, more) => {
              fc.pre(
                !(key in (params.json.properties as object)) || key === '__proto__' || key === 'constructor',
              )
              const extended = Object.fromEntries([...Object.entries(value as object), [key, more]])
              assert.throws(() => params.read(extended, '/'), Failure)
            },
          ),
          20,
        ))
  }
})
