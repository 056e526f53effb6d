import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PosternApi, SystemInfo, WhoAmI } from '../../src/client/index.ts'
import type { WhoAmI as Answered } from '../../src/methods/auth.ts'
import { METHODS } from '../../src/methods/index.ts'
import type { SystemInfo as Told } from '../../src/methods/system.ts'
import { check, programFolder } from '../support/program.ts'

/** tsc keeps what the client promises in step with what the daemon answers. */
const who = (answer: Answered): WhoAmI => answer
const info = (answer: Told): SystemInfo => answer

const NAMES: readonly (keyof PosternApi)[] = [
  'Auth.CreateApiToken',
  'Auth.WhoAmI',
  'Auth.RevokeApiToken',
  'token.create',
  'token.generate',
  'token.get',
  'token.update',
  'token.delete',
  'token.rotate',
  'token.revoke',
  'token.explain',
  'token.watch',
  'token.introspect',
  'system.info',
]

const START = `
import { connect, type PosternApi } from 'postern/client'
interface Api extends PosternApi {
  'math.add': { params: { a: number; b: number }; result: number }
}
const client = connect()
const own = connect<Api>()
`

const RIGHT = [
  "const name: string = (await client.call('Auth.WhoAmI')).user.username",
  "const { token }: { token: string } = await client.call('token.rotate', { tokenid: '1', grace: 60 })",
  "const three: number = await own.call('math.add', { a: 1, b: 2 })",
  "const unknown: unknown = await client.call('math.add', { anything: 1 })",
  "const four: number = await client.call<number>('math.add', [1, 3])",
  "client.on('token.watch', ({ number }) => number)()",
]

const WRONG = [
  "await client.call('token.rotate', { tokenid: 1 })",
  "await client.call('token.rotate')",
  "await client.call('Auth.WhoAmI', { verbose: true })",
  "const name: string = (await client.call('Auth.WhoAmI')).tokenid.length",
  "await own.call('math.add', { a: '1', b: 2 })",
  "await own.call('math.add', { a: 1 })",
  "const three: string = await own.call('math.add', { a: 1, b: 2 })",
  "const { length } = await client.call('math.add', {})",
  "connect<{ 'math.add': number }>()",
  'connect({ port: 8377 })',
]

describe('the types of the client', () => {
  it('name methods that there are', () => {
    const table = new Set(METHODS.map(({ name }) => name))
    for (const name of NAMES) assert.ok(table.has(name), name)
    assert.ok(who.length + info.length > 0)
  })

  for (const [where, lib, types] of [
    ['in Node', ['es2023'], ['node']],
    ['in a browser', ['es2023', 'dom'], []],
  ] as const) {
    it(`let right programs pass ${where}`, async (t) => {
      const program = `${START}${RIGHT.map((line) => `{ ${line} }`).join('\n')}\nexport {}`
      const { code, stdout } = await check(programFolder(t), program, { lib: [...lib], types: [...types] })
      assert.deepEqual([code, stdout], [0, ''])
    })
  }

  it('refuse each wrong line', async (t) => {
    const program = `${START}${WRONG.map((line) => `{ ${line} }`).join('\n')}\nexport {}`
    const { code, stdout } = await check(programFolder(t), program)
    assert.notEqual(code, 0)
    const start = START.split('\n').length
    for (const [at, line] of WRONG.entries())
      assert.match(stdout, new RegExp(`program\\.ts[(:]${start + at}\\b`), line)
  })
})
