import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { gate, holding, walkAway, works } from '../../support/behind.ts'
import { until } from '../../support/daemon.ts'
import { make, statusOf } from '../../support/lives.ts'
import { call, webSocket } from '../../support/talk.ts'
import { KINDS, namespaceOf, obey, upstream } from '../../support/upstreams.ts'

describe('slots', () => {
  for (const kind of KINDS) {
    it(`are freed by a caller who goes away (${kind})`, async (t) => {
      const fake = await upstream(t, kind)
      const { daemon, admin } = await gate(t, fake, { concurrency: 1, timeout: '20s' })
      const { held } = holding(fake)
      const leave = walkAway(daemon, `${namespaceOf(kind)}x`, admin)
      await until('it is under way', () => held.length === 1)
      leave()
      fake.behaviour = obey
      assert.equal(await statusOf(daemon, `${namespaceOf(kind)}echo`, [], admin), 200)
    })
  }

  it('that are taken make others wait, and a bounded number of them', async (t) => {
    const fake = await upstream(t, 'unix')
    const { daemon, admin } = await gate(t, fake, { concurrency: 1, timeout: '1h' })
    const { held, release } = holding(fake)
    const asked = Array.from({ length: 60 }, () => call(daemon, 'unix.echo', [], { token: admin }))
    const refused = await Promise.race([...asked, new Promise<never>(() => {})])
    assert.deepEqual(
      [refused.status, refused.json.error?.code, refused.headers['retry-after']],
      [429, -32029, '1'],
    )
    assert.equal(held.length, 1)
    release()
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    assert.equal(statuses.filter((status) => status === 200).length, 33)
    assert.equal(await statusOf(daemon, 'unix.echo', [], admin), 200)
  })

  it('a caller who waits for one and goes away waits no more', async (t) => {
    const fake = await upstream(t, 'tcp')
    const { daemon, admin } = await gate(t, fake, { concurrency: 1, timeout: '1h' })
    const { held, release } = holding(fake)
    walkAway(daemon, 'tcp.first', admin)
    await until('it is under way', () => held.length === 1)
    const client = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${admin}` } })
    for (let id = 0; id < 32; id++) client.send({ jsonrpc: '2.0', id, method: 'tcp.gone' })
    await until(
      'no more may wait',
      async () => (await statusOf(daemon, 'tcp.x', [], await shortLived())) === 429,
    )
    client.ws.terminate()
    await once(client.ws, 'close')
    release()
    await until('it works again', works(daemon, fake, admin))
    assert.ok(!fake.heard.some(({ method }) => method === 'tcp.gone'))

    async function shortLived(): Promise<string> {
      return (await make(daemon, admin)).token
    }
  })
})
