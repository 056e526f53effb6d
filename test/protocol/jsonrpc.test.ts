import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { http, lines, type Response, raw } from '../support/talk.ts'

const INVALID = -32600
const UNKNOWN = -32601

const daemon = await startDaemon({ after })

describe('JSON-RPC 2.0, on every transport alike', () => {
  const ask = async (text: string | Buffer) => http(daemon, text)
  const codes = (answers: unknown) => (answers as Response[]).map(({ error, id }) => [error?.code, id])

  /** text → status, code, id */
  const refused: [name: string, text: string, status: number, code: number, id: unknown][] = [
    [
      'text that is not JSON',
      '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
      400,
      -32700,
      null,
    ],
    ['an empty body', '', 400, -32700, null],
    [
      'a byte order mark before the message',
      '\ufeff{"jsonrpc":"2.0","method":"x","id":1}',
      400,
      -32700,
      null,
    ],
    ['an unclosed nest of 100,000', '['.repeat(100_000), 400, -32700, null],
    ['a nest of 100,000', '['.repeat(100_000) + ']'.repeat(100_000), 400, INVALID, null],
    ['null', 'null', 400, INVALID, null],
    ['0', '0', 400, INVALID, null],
    ['false', 'false', 400, INVALID, null],
    ['an empty string', '""', 400, INVALID, null],
    ['an empty array', '[]', 400, INVALID, null],
    ['an empty object', '{}', 400, INVALID, null],
    ['another version', '{"jsonrpc":"1.0","method":"x","id":7}', 400, INVALID, 7],
    ['a version as number', '{"jsonrpc":2.0,"method":"x","id":7}', 400, INVALID, 7],
    ['no method', '{"jsonrpc":"2.0","id":7}', 400, INVALID, 7],
    ['a method that is a number', '{"jsonrpc":"2.0","method":1,"params":"bar"}', 400, INVALID, null],
    ['params that are text', '{"jsonrpc":"2.0","method":"x","params":"bar","id":7}', 400, INVALID, 7],
    ['params that are null', '{"jsonrpc":"2.0","method":"x","params":null,"id":7}', 400, INVALID, 7],
    ['an id that is an object', '{"jsonrpc":"2.0","method":"x","id":{}}', 400, INVALID, null],
    ['an id that is an array', '{"jsonrpc":"2.0","method":"x","id":[]}', 400, INVALID, null],
    ['an id that is true', '{"jsonrpc":"2.0","method":"x","id":true}', 400, INVALID, null],
    ['an id beyond 2^53-1', '{"jsonrpc":"2.0","method":"x","id":9007199254740993}', 400, INVALID, null],
    ['an id that is infinite', '{"jsonrpc":"2.0","method":"x","id":1e400}', 400, INVALID, null],
    ['an unknown method, whoever asks', '{"jsonrpc":"2.0","method":"foobar","id":"1"}', 400, UNKNOWN, '1'],
    ['an inherited name', '{"jsonrpc":"2.0","method":"__proto__","id":1}', 400, UNKNOWN, 1],
    ['the name of a constructor', '{"jsonrpc":"2.0","method":"constructor","id":1}', 400, UNKNOWN, 1],
    [
      'the last of two methods',
      '{"jsonrpc":"2.0","method":"system.info","method":"toString","id":1}',
      400,
      UNKNOWN,
      1,
    ],
  ]
  for (const [name, text, status, code, id] of refused) {
    it(`refuses ${name}`, async () => {
      const answer = await ask(text)
      assert.deepEqual([answer.status, answer.json.error?.code, answer.json.id], [status, code, id])
    })
  }

  it('refuses bytes that are not UTF-8', async () => {
    const { status, json } = await ask(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))
    assert.deepEqual([status, json.error?.code], [400, -32700])
  })

  for (const id of [
    '"1"',
    '""',
    '0',
    '-0',
    '1.5',
    '-7',
    '9007199254740991',
    'null',
    '"\\ud83d\\ude00"',
    '"a\\"b"',
  ]) {
    it(`echoes the id ${id}`, async () => {
      const { body } = await ask(`{"jsonrpc":"2.0","method":"nope","id":${id}}`)
      assert.ok(body.endsWith(`,"id":${id === '"\\ud83d\\ude00"' ? '"😀"' : id}}`), body)
    })
  }

  it('ignores members that the standard does not know', async () => {
    const { json } = await ask('{"jsonrpc":"2.0","method":"nope","id":1,"auth":null,"x":{}}')
    assert.equal(json.error?.code, UNKNOWN)
  })

  it('answers no notification, whatever became of it', async () => {
    for (const method of ['nope', 'Auth.WhoAmI', 'Auth.CreateApiToken']) {
      const { status, body } = await ask(`{"jsonrpc":"2.0","method":"${method}"}`)
      assert.deepEqual([status, body], [204, ''])
    }
  })

  it('runs a notification', async () => {
    await ask('{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":{"ttl":60,"name":"by notification"}}')
    const { status } = await ask(
      '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":{"ttl":60,"name":"by notification"},"id":1}',
    )
    assert.equal(status, 409)
  })

  it('answers a batch of one with an array of one', async () => {
    const { status, json } = await ask('[{"jsonrpc":"2.0","method":"nope","id":1}]')
    assert.equal(status, 200)
    assert.deepEqual(codes(json), [[UNKNOWN, 1]])
  })

  it('answers each invalid element of a batch in its place', async () => {
    const { status, json } = await ask('[1,null,[],{"foo":"boo"},{"jsonrpc":"2.0","method":"nope","id":5}]')
    assert.equal(status, 200)
    assert.deepEqual(codes(json), [
      [INVALID, null],
      [INVALID, null],
      [INVALID, null],
      [INVALID, null],
      [UNKNOWN, 5],
    ])
  })

  it('leaves notifications out of the answers to a mixed batch, and keeps its order', async () => {
    const calls = [1, undefined, 2, undefined, 3].map((id) => ({ jsonrpc: '2.0', method: 'nope', id }))
    const { json } = await ask(JSON.stringify(calls))
    assert.deepEqual(codes(json), [
      [UNKNOWN, 1],
      [UNKNOWN, 2],
      [UNKNOWN, 3],
    ])
  })

  it('answers nothing to a batch of notifications', async () => {
    const { status, body } = await ask(
      '[{"jsonrpc":"2.0","method":"nope"},{"jsonrpc":"2.0","method":"Auth.WhoAmI"}]',
    )
    assert.deepEqual([status, body], [204, ''])
  })

  it('takes a batch of 1,000 and refuses one of 1,001 as a whole', async () => {
    const batch = (count: number) =>
      JSON.stringify(Array.from({ length: count }, (_, id) => ({ jsonrpc: '2.0', method: 'x', id })))
    assert.equal(codes((await ask(batch(1000))).json).length, 1000)
    const { status, json } = await ask(batch(1001))
    assert.deepEqual([status, json.error?.code], [400, INVALID])
    assert.match(json.error?.data ?? '', /1001 calls; the limit is 1000/)
  })

  it('takes 64 levels and refuses 65; brackets inside strings are none', async () => {
    const nest = (depth: number) =>
      `{"jsonrpc":"2.0","method":"nope","id":1,"params":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
    assert.equal((await ask(nest(64))).json.error?.code, UNKNOWN)
    assert.equal((await ask(nest(65))).json.error?.code, INVALID)
    const quoted = JSON.stringify({ jsonrpc: '2.0', method: 'nope', id: 1, params: ['[{"\\'.repeat(100)] })
    assert.equal((await ask(quoted)).json.error?.code, UNKNOWN)
  })

  it('answers newline JSON with the same texts', async () => {
    for (const [, text] of refused) {
      if (text === '' || text.startsWith('\ufeff')) continue // a blank line is no message
      const { body } = await ask(text)
      assert.deepEqual(lines(await raw(daemon, ` ${text}\n`)), lines(body))
    }
  })
})
