import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Daemon, startDaemon, until } from '../../support/daemon.ts'
import { ok, statusOf } from '../../support/lives.ts'
import { call, mint } from '../../support/talk.ts'
import { type Behaviour, type Fake, table, upstream } from '../../support/upstreams.ts'

const listOf = async (on: Daemon, by: string) =>
  (await ok<{ methods: { name: string }[] }>(on, 'rpc.discover', undefined, by)).methods.map(
    ({ name }) => name,
  )

const knownTo = (on: Daemon, by: string, name: string) => async () => (await listOf(on, by)).includes(name)

describe('an upstream is asked for its methods', () => {
  const names = ['svc.one', 'svc.two.three', 'other.x', 'svc.*', 'svc..x', '', 'svc.é', 7, null, '__proto__']
  const byDocument: Behaviour = ({ method, reply, id, result }) => {
    if (method === 'rpc.discover') result(JSON.stringify({ methods: names.map((name) => ({ name })) }))
    else if (method.startsWith('svc.')) result('"told"')
    else reply(`{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"None"}}`)
  }
  const byList: Behaviour = (heard) =>
    heard.method === 'system.listMethods'
      ? heard.result(JSON.stringify(names))
      : byDocument({ ...heard, method: heard.method.replace('rpc.discover', 'none') })
  const service = { name: 'svc', namespace: 'svc.', methods: 'discover', allow_unlisted: false }

  for (const [how, behaviour] of Object.entries({
    'rpc.discover': byDocument,
    'system.listMethods': byList,
  })) {
    it(`by ${how}: what it names in its namespace, and can be named by a scope, is there`, async (t) => {
      const told = await upstream(t, 'ws')
      told.behaviour = behaviour
      const on = await startDaemon(t, { config: table(told, service) })
      const token = await mint(on)
      await until('the methods are known', knownTo(on, token, 'svc.one'))
      const listed = (await listOf(on, token)).filter((name) => /svc|other|proto/.test(name))
      assert.deepEqual(listed, ['svc.one', 'svc.two.three'])
      assert.equal(await ok(on, 'svc.two.three', [], token), 'told')
      assert.equal((await call(on, 'svc.none', [], { token })).json.error?.code, -32601)
    })
  }

  it('with the namespace put in front where it is taken off', async (t) => {
    const told = await upstream(t, 'tcp')
    told.behaviour = byDocument
    const on = await startDaemon(t, { config: table(told, { ...service, namespace: 'up.', strip: true }) })
    const token = await mint(on)
    await until('the methods are known', knownTo(on, token, 'up.svc.one'))
    assert.equal(await ok(on, 'up.svc.one', [], token), 'told')
  })

  it('that answers nonsense has no methods, and the gate goes on', async (t) => {
    const answers = ['null', '{"methods":7}', '"x"', '7']
    const told: Fake = await upstream(t, 'http')
    told.behaviour = ({ result }) => result(answers[told.heard.length % answers.length] ?? 'null')
    const on = await startDaemon(t, { config: table(told, service) })
    const token = await mint(on)
    await until('it was asked several times', () => told.heard.length > 3)
    assert.notEqual((await call(on, 'svc.one', [], { token })).status, 200)
    assert.equal(await statusOf(on, 'Auth.WhoAmI', undefined, token), 200)
  })

  for (const [when, wait] of [
    ['soon', 0],
    ['after a while', 6],
  ] as const) {
    it(`that comes up ${when} is failing until then, and there from then on`, async (t) => {
      const told = await upstream(t, 'http')
      told.behaviour = byDocument
      await told.stop()
      const on = await startDaemon(t, { config: table(told, service) })
      const token = await mint(on)
      for (let n = 0; n <= wait; n++) {
        assert.equal(await statusOf(on, 'svc.one', [], token), 502)
        await new Promise((resolve) => setTimeout(resolve, wait === 0 ? 0 : 1_000))
      }
      await told.start()
      await until('the methods are known', knownTo(on, token, 'svc.one'), 30_000)
      assert.equal(await ok(on, 'svc.one', [], token), 'told')
    })
  }
})
