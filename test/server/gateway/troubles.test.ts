import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { gate, holding, walkAway, works } from '../../support/behind.ts'
import { until } from '../../support/daemon.ts'
import { ok, statusOf } from '../../support/lives.ts'
import { call, http, type Response } from '../../support/talk.ts'
import { type Heard, KINDS, namespaceOf, obey, upstream } from '../../support/upstreams.ts'

describe('while an upstream is in trouble the gate answers, and afterwards both do', () => {
  for (const kind of KINDS) {
    it(`killed and started again (${kind})`, async (t) => {
      const fake = await upstream(t, kind)
      const { daemon, admin } = await gate(t, fake)
      const { held } = holding(fake)
      const pending = call(daemon, `${namespaceOf(kind)}x`, [], { token: admin })
      await until('the call is under way', () => held.length === 1)
      await fake.stop()
      assert.equal((await pending).status, 502)
      assert.equal(await statusOf(daemon, `${namespaceOf(kind)}x`, [], admin), 502)
      assert.equal(await statusOf(daemon, 'Auth.WhoAmI', undefined, admin), 200)
      fake.behaviour = obey
      await fake.start()
      await until('it works again', works(daemon, fake, admin))
    })

    it(`fed a thousand calls at once, of which it never sees more than four (${kind})`, async (t) => {
      const fake = await upstream(t, kind)
      const { daemon, admin } = await gate(t, fake, { concurrency: 4, timeout: '60s' })
      let now = 0
      let most = 0
      const kept: Heard[] = []
      fake.behaviour = (heard) => {
        most = Math.max(most, ++now)
        kept.push(heard)
        if (most < 4) return // until four were there together: each could be answered before the next has come
        for (const { result } of kept.splice(0))
          setTimeout(() => {
            now--
            result('1')
          }, 1)
      }
      const calls = Array.from({ length: 1000 }, (_, id) => ({
        jsonrpc: '2.0',
        id,
        method: `${namespaceOf(kind)}x`,
      }))
      const batch = http(daemon, JSON.stringify(calls), { token: admin })
      for (let n = 0; n < 5; n++) assert.equal(await statusOf(daemon, 'Auth.WhoAmI', undefined, admin), 200)
      const answers = (await batch).json as unknown as Response[]
      assert.deepEqual([most, answers.filter(({ result }) => result === 1).length], [4, 1000])
    })
  }

  it('a call is passed on once, though a kept connection ends under it', async (t) => {
    for (const kind of ['http', 'unix+http'] as const) {
      const fake = await upstream(t, kind)
      const { daemon, admin } = await gate(t, fake)
      await ok(daemon, `${namespaceOf(kind)}echo`, [], admin)
      fake.behaviour = () => fake.hangUp()
      assert.equal(await statusOf(daemon, `${namespaceOf(kind)}x`, [], admin), 502)
      assert.equal(fake.heard.filter(({ method }) => method.endsWith('.x')).length, 1)
    }
  })

  it('a WebSocket that is never answered is given up, and another opened', async (t) => {
    const fake = await upstream(t, 'ws')
    await fake.stop()
    const mute = createServer((socket) => void socket.on('error', () => {}))
    t.after(() => void mute.close())
    const { hostname, port } = new URL(fake.url)
    await new Promise<void>((resolve) => mute.listen(Number(port), hostname, resolve))
    const { daemon, admin } = await gate(t, fake, { timeout: '300ms' })
    let connections = 0
    mute.on('connection', () => connections++)
    assert.equal(await statusOf(daemon, 'ws.echo', [], admin), 504)
    await until('another connection', async () => {
      await statusOf(daemon, 'ws.echo', [], admin)
      return connections > 1
    })
  })
})

describe('a circuit breaker', () => {
  it('opens after failures in a row: the upstream is spared, and its callers the waiting', async (t) => {
    const fake = await upstream(t, 'tcp')
    const { daemon, admin } = await gate(t, fake, { timeout: '100ms' })
    fake.behaviour = () => {}
    for (let n = 0; n < 40; n++) assert.ok([502, 504].includes(await statusOf(daemon, 'tcp.x', [], admin)))
    assert.ok(fake.heard.length < 20, `${fake.heard.length} calls`)
  })

  it('closes by itself, though its upstream is called all the time', async (t) => {
    const fake = await upstream(t, 'http')
    const { daemon, admin } = await gate(t, fake)
    await fake.stop()
    for (let n = 0; n < 10; n++) assert.equal(await statusOf(daemon, 'http.echo', [], admin), 502)
    await fake.start()
    await until('it works again', works(daemon, fake, admin))
  })

  it('is not opened by what the upstream refuses, and not by callers who go away', async (t) => {
    const fake = await upstream(t, 'http')
    const { daemon, admin } = await gate(t, fake)
    fake.behaviour = (heard) => heard.reply(`{"id":${heard.id},"error":{"code":1,"message":"no"}}`)
    for (let n = 0; n < 10; n++)
      assert.equal((await call(daemon, 'http.x', [], { token: admin })).json.error?.code, 1)
    const { held } = holding(fake)
    for (let n = 0; n < 10; n++) {
      const leave = walkAway(daemon, 'http.x', admin)
      await until('it is under way', () => held.length === n + 1)
      leave()
    }
    fake.behaviour = obey
    assert.equal(await statusOf(daemon, 'http.echo', [], admin), 200)
  })
})
