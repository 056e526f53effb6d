import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type Daemon, startDaemon, until } from '../../support/daemon.ts'
import { conversation, make, ok, statusOf } from '../../support/lives.ts'
import { call, mint } from '../../support/talk.ts'
import { type Behaviour, type Fake, table, upstream } from '../../support/upstreams.ts'

const fake = await upstream({ after }, 'http')
const listed = { name: 'aria2', namespace: 'aria2.', allow_unlisted: false }
const methods = ['aria2.addUri', 'aria2.tellStatus', 'aria2.sub.echo']
const config = [
  table(fake, { ...listed, methods }),
  table(fake, { name: 'stripped', namespace: 'node.', strip: true, allow_unlisted: false, methods: ['getinfo', 'a.b'] }),
  table(fake, { name: 'wide', namespace: 'wide.' }),
].join('')
const daemon = await startDaemon({ after }, { config })
const admin = await mint(daemon)

const listOf = async (on: Daemon, by: string) =>
  (await ok<{ methods: { name: string }[] }>(on, 'rpc.discover', undefined, by)).methods.map(({ name }) => name)

const knownTo = (on: Daemon, by: string, name: string) => async () => (await listOf(on, by)).includes(name)

describe("an upstream's methods are rows like any other", () => {
  it('a token may call what its scopes name and nothing else, and the upstream hears of nothing else', async () => {
    const { token } = await make(daemon, admin, { scopes: ['aria2.sub.*', 'node.getinfo'] })
    const before = fake.heard.length
    assert.equal(await statusOf(daemon, 'aria2.addUri', [], token), 403)
    assert.equal(await statusOf(daemon, 'node.a.b', [], token), 403)
    assert.equal(await statusOf(daemon, 'wide.echo', [], token), 403)
    assert.equal(fake.heard.length, before)
    assert.equal(await statusOf(daemon, 'aria2.sub.echo', [], token), 200)
    assert.equal(await statusOf(daemon, 'node.getinfo', [], token), 200)
    assert.equal(fake.heard.length, before + 2)
  })

  it('nobody calls them without a token, and not with one that has ended', async () => {
    const { token } = await make(daemon, admin)
    const before = fake.heard.length
    assert.equal((await call(daemon, 'aria2.addUri')).status, 401)
    await ok(daemon, 'Auth.RevokeApiToken', undefined, token)
    assert.equal(await statusOf(daemon, 'aria2.addUri', [], token), 401)
    assert.equal(fake.heard.length, before)
  })

  it("a call counts towards its token's rate limit", async () => {
    const { token } = await make(daemon, admin, { rate_limit: { per_second: 1, burst: 2 } })
    const before = fake.heard.length
    const statuses = await Promise.all(
      Array.from({ length: 20 }, () => statusOf(daemon, 'aria2.addUri', [], token)),
    )
    const passed = statuses.filter((status) => status === 200).length
    assert.ok(passed >= 2 && passed < 20 && statuses.includes(429), String(statuses))
    assert.equal(fake.heard.length, before + passed)
  })

  it('the last use of a token gets its answer, and there is no other', async () => {
    const { token } = await make(daemon, admin, { max_uses: 1 })
    assert.deepEqual((await call(daemon, 'wide.jumble', [1], { token })).json.result, [1])
    assert.equal(await statusOf(daemon, 'wide.jumble', [1], token), 401)
  })

  it('a call is in the audit log before it reaches the upstream', async () => {
    const { token, tokenid } = await make(daemon, admin)
    const lines = new Promise<object[]>((resolve) => {
      fake.behaviour = (heard) => {
        void ok<object[]>(daemon, 'audit.get', { limit: 1000, event: 'upstream.call' }, admin).then((found) => {
          heard.result('1')
          resolve(found)
        })
      }
    })
    await ok(daemon, 'node.getinfo', ['canary-params'], token)
    fake.behaviour = (await import('../../support/upstreams.ts')).obey
    const mine = (await lines).filter((line) => (line as { by: { token?: string } }).by.token === tokenid)
    assert.equal(mine.length, 1)
    assert.deepEqual({ ...mine[0], seq: 0, time: 0, at: 0, hash: 0, by: 0 }, {
      ...mine[0],
      ...{ seq: 0, time: 0, at: 0, hash: 0, by: 0 },
      event: 'upstream.call',
      upstream: 'stripped',
      method: 'node.getinfo',
    })
    assert.ok(!JSON.stringify(mine).includes('canary-params'))
  })

  it('rpc.discover lists them, by their names here', async () => {
    const names = await listOf(daemon, admin)
    for (const name of [...methods, 'node.getinfo', 'node.a.b', 'Auth.WhoAmI']) assert.ok(names.includes(name), name)
    assert.ok(!names.some((name) => name.startsWith('wide.') || name === 'getinfo'))
  })

  it('one that is not listed is none, unless such are allowed', async () => {
    const before = fake.heard.length
    for (const method of ['aria2.remove', 'aria2.', 'aria2', 'aria2.addUri.x', 'aria2.adduri', 'node.x', 'getinfo'])
      assert.equal((await call(daemon, method, [], { token: admin })).json.error?.code, -32601, method)
    assert.equal(fake.heard.length, before)
    assert.equal(await statusOf(daemon, 'wide.anything.at.all', [], admin), 200)
  })

  it('a name that no scope can name reaches no upstream', async () => {
    const before = fake.heard.length
    const names = ['wide.*', 'wide.a.*', 'wide.a..b', 'wide.', 'wide.a b', 'wide.a\n', 'wide.é', `wide.${'x'.repeat(200)}`]
    for (const method of names)
      assert.equal((await call(daemon, method, [], { token: admin })).json.error?.code, -32601, method)
    assert.equal(fake.heard.length, before)
  })

  it('the namespace is kept, or taken off where strip says so', async () => {
    await ok(daemon, 'aria2.sub.echo', [], admin)
    assert.equal(fake.heard.at(-1)?.method, 'aria2.sub.echo')
    await ok(daemon, 'node.a.b', [], admin)
    assert.equal(fake.heard.at(-1)?.method, 'a.b')
  })

  it('a number that would be altered is refused, wherever it is', async () => {
    const before = fake.heard.length
    const unsafe = ['9007199254740992', '-9007199254740993', '1e400', '-1e400', '1e16', '12345678901234567890']
    const conv = (params: string) =>
      import('../../support/talk.ts').then(({ http }) =>
        http(daemon, `{"jsonrpc":"2.0","id":1,"method":"wide.echo","params":${params}}`, { token: admin }),
      )
    for (const number of unsafe) {
      for (const params of [`[${number}]`, `{"a":${number}}`, `[1,{"a":[{"__proto__":[${number}]}]}]`]) {
        const { status, json } = await conv(params)
        assert.deepEqual([status, json.error?.code], [400, -32602], params)
      }
    }
    assert.equal(fake.heard.length, before)
    for (const params of ['[9007199254740991,-9007199254740991,1.5]', '["12345678901234567890"]'])
      assert.equal((await conv(params)).status, 200, params)
  })

  it('names that a stranger makes up make no labels of the metrics', async (t) => {
    const narrow = await startDaemon(t, { config: config.replaceAll('3s', '2s') })
    const token = await mint(narrow)
    for (let n = 0; n < 20; n++) await ok(narrow, `wide.madeup${n}`, [], token)
    await ok(narrow, 'aria2.addUri', [], token)
    const text = await ok<string>(narrow, 'system.metrics', undefined, token)
    assert.match(text, /"aria2\.addUri"/)
    assert.ok(!text.includes('madeup'), 'a made-up name is a label')
  })

  it('a call goes over a conversation like over HTTP, with its token among the parameters', async (t) => {
    const lines = conversation(t, daemon)
    const told = await lines.call('aria2.sub.echo', { Token: admin, a: 1 })
    assert.deepEqual(told?.result, { a: 1 })
  })
})

describe('an upstream is asked for its methods', () => {
  const names = ['svc.one', 'svc.two.three', 'other.x', 'svc.*', 'svc..x', '', 'svc.é', 7, null, '__proto__']
  const byDocument: Behaviour = ({ method, reply, id, result }) => {
    if (method === 'rpc.discover') result(JSON.stringify({ methods: names.map((name) => ({ name })) }))
    else if (method.startsWith('svc.')) result('"told"')
    else reply(`{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"None"}}`)
  }
  const byList: Behaviour = (heard) =>
    heard.method === 'system.listMethods' ? heard.result(JSON.stringify(names)) : byDocument({ ...heard, method: heard.method.replace('rpc.discover', 'none') })
  const service = { name: 'svc', namespace: 'svc.', methods: 'discover', allow_unlisted: false }

  for (const [how, behaviour] of Object.entries({ 'rpc.discover': byDocument, 'system.listMethods': byList })) {
    it(`by ${how}: what it names in its namespace, and can be named by a scope, is there`, async (t) => {
      const told = await upstream(t, 'ws')
      told.behaviour = behaviour
      const on = await startDaemon(t, { config: table(told, service) })
      const token = await mint(on)
      await until('the methods are known', knownTo(on, token, 'svc.one'))
      assert.deepEqual((await listOf(on, token)).filter((name) => !/^[A-Za-z]+\.\w+$/.test(name) || /^(svc|other)/.test(name)).filter((name) => /svc|other|proto/.test(name)), ['svc.one', 'svc.two.three'])
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
    const answers = ['null', '[]', '{"methods":7}', '{"methods":[null,1]}', '"x"']
    const told: Fake = await upstream(t, 'http')
    told.behaviour = ({ result }) => result(answers[told.heard.length % answers.length] ?? 'null')
    const on = await startDaemon(t, { config: table(told, service) })
    const token = await mint(on)
    await until('it was asked several times', () => told.heard.length > 3)
    assert.notEqual((await call(on, 'svc.one', [], { token })).status, 200)
    assert.equal(await statusOf(on, 'Auth.WhoAmI', undefined, token), 200)
  })

  for (const [when, wait] of [['soon', 0], ['after a while', 6]] as const) {
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
