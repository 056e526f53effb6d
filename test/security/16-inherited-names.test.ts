import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { make, ok } from '../support/lives.ts'
import { call, http, mint } from '../support/talk.ts'
import { type Heard, table, upstream } from '../support/upstreams.ts'

const fake = await upstream({ after }, 'tcp')
const listed = await upstream({ after }, 'http')
const config =
  table(fake) + table(listed, { namespace: 'node.', strip: true, allow_unlisted: false, methods: ['one'] })
const daemon = await startDaemon({ after }, { config })
const admin = await mint(daemon)

const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'prototype',
  '__defineGetter__',
  'then',
]

describe('pitfall 16: inherited names are names like any other', () => {
  for (const name of NAMES) {
    it(`${name} is no method of ours, and none of an upstream that does not name it`, async () => {
      const before = listed.heard.length
      for (const method of [name, `node.${name}`, `Auth.${name}`, `Auth.WhoAmI.${name}`, `${name}.${name}`])
        assert.equal((await call(daemon, method, {}, { token: admin })).json.error?.code, -32601, method)
      assert.equal(listed.heard.length, before)
    })

    it(`${name} reaches an upstream for which all are let through, as it is, with the scope for it only`, async () => {
      const { token } = await make(daemon, admin, { scopes: ['tcp.other'] })
      assert.equal((await call(daemon, `tcp.${name}`, [], { token })).status, 403)
      assert.equal((await call(daemon, `tcp.${name}`, [], { token: admin })).status, 200)
      assert.equal(fake.heard.at(-1)?.method, `tcp.${name}`)
    })

    it(`${name} as a parameter reaches an upstream as it is, and changes nothing here`, async () => {
      const params = `{"${name}":{"admin":true,"id":7,"method":"tcp.x"},"a":[{"${name}":1}]}`
      const body = `{"jsonrpc":"2.0","id":1,"method":"tcp.echo","params":${params}}`
      const answer = await http(daemon, body, { token: admin })
      assert.equal(answer.body, `{"jsonrpc":"2.0","result":${params},"id":1}`)
      assert.ok(fake.heard.at(-1)?.text.endsWith(`"params":${params}}`))
    })

    it(`${name} as a parameter of our own methods is refused like any other that there is not`, async () => {
      const body = `{"jsonrpc":"2.0","id":1,"method":"Auth.CreateApiToken","params":{"ttl":0,"${name}":{"ttl":1}}}`
      const { json } = await http(daemon, body)
      assert.equal(json.error?.code, -32602)
    })

    it(`${name} is a name for a token`, async () => {
      const secret = await mint(daemon, { ttl: 0, name })
      const [found] = await ok<{ name: string }[]>(daemon, 'token.get', { filter: { name } }, secret)
      assert.equal(found?.name, name)
    })

    it(`${name} in a call changes nothing about it`, async () => {
      const body = `{"jsonrpc":"2.0","id":1,"method":"Auth.WhoAmI","${name}":{"method":"tcp.echo","params":{"Token":"x"}}}`
      const before = fake.heard.length
      assert.equal((await http(daemon, body, { token: admin })).status, 200)
      assert.equal(fake.heard.length, before)
    })
  }

  it('an answer with inherited names reaches the caller as it is, and is none by their help', async (t) => {
    t.after(() => void 0)
    const result = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
    fake.behaviour = (heard) => heard.result(result)
    const { body } = await call(daemon, 'tcp.x', [], { token: admin })
    assert.equal(body, `{"jsonrpc":"2.0","result":${result},"id":1}`)
    const replies = [
      ({ id }: Heard) => `{"jsonrpc":"2.0","id":${id},"__proto__":{"result":1}}`,
      ({ id }: Heard) => `{"jsonrpc":"2.0","id":${id},"__proto__":{"error":{"code":1,"message":"m"}}}`,
    ]
    for (const reply of replies) {
      fake.behaviour = (heard) => heard.reply(reply(heard))
      assert.equal((await call(daemon, 'tcp.x', [], { token: admin })).status, 502)
    }
    assert.equal((await call(daemon, 'Auth.WhoAmI', undefined, { token: admin })).status, 200)
  })
})
