import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gate, holding, walkAway, works } from '../../support/behind.ts'
import { until } from '../../support/daemon.ts'
import { ok, statusOf } from '../../support/lives.ts'
import { call, webSocket } from '../../support/talk.ts'
import { KINDS, namespaceOf, obey, upstream } from '../../support/upstreams.ts'

describe('slots', () => {
  for (const kind of KINDS) {
    for (const caller of ['WebSocket', 'HTTP']) {
      it(`are freed by a caller who goes away from ${caller} (${kind})`, async (t) => {
        const fake = await upstream(t, kind)
        const { daemon, admin } = await gate(t, fake, { concurrency: 1, timeout: '1h' })
        const { held } = holding(fake)
        const method = `${namespaceOf(kind)}x`
        const leave = caller === 'HTTP' ? walkAway(daemon, method, admin) : await begin()
        await until('it is under way', () => held.length === 1)
        leave()
        fake.behaviour = obey
        let status = 0
        statusOf(daemon, `${namespaceOf(kind)}echo`, [], admin).then(
          (told) => {
            status = told
          },
          () => {},
        )
        await until('the next call has its slot', () => status === 200)

        async function begin(): Promise<() => void> {
          const { ws } = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${admin}` } })
          ws.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method }))
          return () => ws.terminate()
        }
      })
    }
  }

  it('that are taken make others wait, and a bounded number of them', async (t) => {
    const fake = await upstream(t, 'unix')
    const { daemon, admin } = await gate(t, fake, { concurrency: 1, timeout: '20s' })
    const { held, release } = holding(fake)
    const asked = Array.from({ length: 60 }, () => call(daemon, 'unix.echo', [], { token: admin }))
    const refused = await Promise.race(asked)
    assert.deepEqual(
      [refused.status, refused.json.error?.code, refused.headers['retry-after']],
      [429, -32029, '1'],
    )
    await until('one is under way', () => held.length === 1)
    release()
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    assert.ok(statuses.every((status) => [200, 429].includes(status)))
    assert.ok(statuses.filter((status) => status === 200).length >= 33)
    assert.equal(await statusOf(daemon, 'unix.echo', [], admin), 200)
  })

  it('a caller who waits for one and goes away waits no more', async (t) => {
    const fake = await upstream(t, 'tcp')
    const { daemon, admin } = await gate(t, fake, { concurrency: 1, timeout: '20s' })
    const { held, release } = holding(fake)
    walkAway(daemon, 'tcp.first', admin)
    await until('it is under way', () => held.length === 1)
    const client = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${admin}` } })
    for (let id = 0; id < 20; id++) client.send({ jsonrpc: '2.0', id, method: 'tcp.gone' })
    await client.call('Auth.WhoAmI')
    client.ws.terminate()
    await until('the gate has noticed', async () => {
      const text = await ok<string>(daemon, 'system.metrics', undefined, admin)
      return /^postern_connections 2$/m.test(text) // this one, and that of the first call
    })
    release()
    await until('it works again', works(daemon, fake, admin))
    assert.ok(!fake.heard.some(({ method }) => method === 'tcp.gone'))
  })
})
