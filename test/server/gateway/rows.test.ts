import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type Daemon, startDaemon } from '../../support/daemon.ts'
import { conversation, make, ok, statusOf } from '../../support/lives.ts'
import { call, http, mint } from '../../support/talk.ts'
import { obey, table, upstream } from '../../support/upstreams.ts'

const fake = await upstream({ after }, 'http')
const listed = { name: 'aria2', namespace: 'aria2.', allow_unlisted: false }
const methods = ['aria2.addUri', 'aria2.tellStatus', 'aria2.sub.echo']
const config = [
  table(fake, { ...listed, methods }),
  table(fake, {
    name: 'stripped',
    namespace: 'node.',
    strip: true,
    allow_unlisted: false,
    methods: ['getinfo', 'a.b'],
  }),
  table(fake, { name: 'wide', namespace: 'wide.' }),
].join('')
const daemon = await startDaemon({ after }, { config })
const admin = await mint(daemon)

const listOf = async (on: Daemon, by: string) =>
  (await ok<{ methods: { name: string }[] }>(on, 'rpc.discover', undefined, by)).methods.map(
    ({ name }) => name,
  )

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
        void ok<object[]>(daemon, 'audit.get', { limit: 1000, event: 'upstream.call' }, admin).then(
          (found) => {
            heard.result('1')
            resolve(found)
          },
        )
      }
    })
    await ok(daemon, 'node.getinfo', ['canary-params'], token)
    fake.behaviour = obey
    const mine = (await lines).filter((line) => (line as { by: { token?: string } }).by.token === tokenid)
    assert.equal(mine.length, 1)
    const { event, upstream: name, method } = (mine[0] ?? {}) as Record<string, unknown>
    assert.deepEqual([event, name, method], ['upstream.call', 'stripped', 'node.getinfo'])
    assert.ok(!JSON.stringify(mine).includes('canary-params'))
  })

  it('rpc.discover lists them, by their names here', async () => {
    const names = await listOf(daemon, admin)
    for (const name of [...methods, 'node.getinfo', 'node.a.b', 'Auth.WhoAmI'])
      assert.ok(names.includes(name), name)
    assert.ok(!names.some((name) => name.startsWith('wide.') || name === 'getinfo'))
  })

  it('one that is not listed is none, unless such are allowed', async () => {
    const before = fake.heard.length
    for (const method of [
      'aria2.remove',
      'aria2.',
      'aria2',
      'aria2.addUri.x',
      'aria2.adduri',
      'node.x',
      'getinfo',
    ])
      assert.equal((await call(daemon, method, [], { token: admin })).json.error?.code, -32601, method)
    assert.equal(fake.heard.length, before)
    assert.equal(await statusOf(daemon, 'wide.anything.at.all', [], admin), 200)
  })

  it('a name that no scope can name reaches no upstream', async () => {
    const before = fake.heard.length
    const names = [
      'wide.*',
      'wide.a.*',
      'wide.a..b',
      'wide.',
      'wide.a b',
      'wide.a\n',
      'wide.é',
      `wide.${'x'.repeat(200)}`,
    ]
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
    const unsafe = [
      '9007199254740992',
      '-9007199254740993',
      '1e400',
      '-1e400',
      '1e16',
      '12345678901234567890',
    ]
    const ask = (params: string) =>
      http(daemon, `{"jsonrpc":"2.0","id":1,"method":"wide.echo","params":${params}}`, { token: admin })
    for (const number of unsafe) {
      for (const params of [`[${number}]`, `{"a":${number}}`, `[1,{"a":[{"__proto__":[${number}]}]}]`]) {
        const { status, json } = await ask(params)
        assert.deepEqual([status, json.error?.code], [400, -32602], params)
      }
    }
    assert.equal(fake.heard.length, before)
    for (const params of ['[9007199254740991,-9007199254740991,1.5]', '["12345678901234567890"]'])
      assert.equal((await ask(params)).status, 200, params)
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
