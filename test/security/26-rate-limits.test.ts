import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { Buckets } from '../../src/auth/buckets.ts'
import { startDaemon } from '../support/daemon.ts'
import { make, ok, statusOf } from '../support/lives.ts'
import { holds } from '../support/property.ts'
import { reload } from '../support/reload.ts'
import { accepted, call, http, mint, type Response, webSocket } from '../support/talk.ts'

describe('pitfall 26: a table of buckets that is full', () => {
  const rate = { perSecond: 1, burst: 2 }

  it('refuses newcomers, and neither forgets nor favours those who are in it', () => {
    let now = 0
    const buckets = new Buckets(() => now, 3)
    for (const name of ['a', 'b', 'c'])
      assert.deepEqual([buckets.take(name, rate), buckets.take(name, rate)], [undefined, undefined])
    for (let n = 0; n < 1000; n++) assert.ok((buckets.take(`new ${n}`, rate) ?? 0) >= 1)
    assert.equal(buckets.take('a', rate), 1)
    now = 1000
    assert.deepEqual([buckets.take('a', rate), buckets.take('a', rate)], [undefined, 1])
    assert.ok((buckets.take('another', rate) ?? 0) >= 1, 'none of the others is full again yet')
    now = 3000
    assert.equal(buckets.take('another', rate), undefined)
  })

  it('lets nobody take more than the burst and what has come since, however many there are', async () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      wait: fc.integer({ min: 0, max: 900 }),
    })
    await holds(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let now = 0
        const buckets = new Buckets(() => now, 2)
        const taken = new Map<string, number>()
        for (const { name, wait } of steps) {
          now += wait
          if (buckets.take(name, rate) === undefined) taken.set(name, (taken.get(name) ?? 0) + 1)
          assert.ok((taken.get(name) ?? 0) <= rate.burst + (now / 1000) * rate.perSecond)
        }
      }),
      100,
    )
  })
})

describe('pitfall 26: how often a token may call', async () => {
  // No bucket fills again while a test runs.
  const daemon = await startDaemon({ after }, { config: '[rate]\nper_token = "1/h"\nburst = 5\n' })
  const free = { per_second: 1_000_000 }
  const whoAmI = (id: number) => ({ jsonrpc: '2.0', id, method: 'token.get', params: { limit: 1 } })

  async function many(token: string, count = 12): Promise<number> {
    let passed = 0
    for (let n = 0; n < count; n++) {
      const { status, headers } = await call(
        daemon,
        'Auth.WhoAmI',
        {},
        { token, door: n % 2 ? 'unix' : 'tcp' },
      )
      if (status === 200) passed++
      else {
        assert.equal(status, 429)
        assert.match(String(headers['retry-after']), /^[1-9]\d*$/)
      }
    }
    return passed
  }

  it('is per_token and burst of the configuration, for each token its own', async () => {
    const [one, two] = [await mint(daemon), await mint(daemon)]
    assert.deepEqual([await many(one), await many(two), await many(one, 3)], [5, 5, 0])
  })

  it('is its own rate_limit where that is narrower, and the configuration where it is not', async () => {
    assert.equal(await many(await mint(daemon, { ttl: 60, rate_limit: { ...free, burst: 2 } })), 2)
    assert.equal(await many(await mint(daemon, { ttl: 60, rate_limit: { ...free, burst: 100 } })), 5)
    assert.equal(await many(await mint(daemon, { ttl: 60, rate_limit: { per_second: 1 } })), 1)
  })

  for (const path of ['/api/', '/api_jsonrpc.php'])
    it(`counts each element of a batch on ${path}`, async () => {
      const token = await mint(daemon)
      const { json } = await http(daemon, JSON.stringify(Array.from({ length: 30 }, (_, n) => whoAmI(n))), {
        token,
        path,
      })
      const answers = json as unknown as Response[]
      assert.equal(answers.filter(({ error }) => error === undefined).length, 5)
    })

  it('counts messages of a WebSocket, side by side or not', async (t) => {
    const token = await mint(daemon)
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    for (let n = 0; n < 20; n++) ws.send(whoAmI(n))
    let passed = 0
    for (let n = 0; n < 20; n++) if ((await ws.next()).error === undefined) passed++
    assert.equal(passed, 5)
    assert.equal(ws.ws.readyState, ws.ws.OPEN)
  })

  it('takes no use of a call that it refused, and hides no revocation', async () => {
    const { token, tokenid } = await make(daemon, await mint(daemon), { max_uses: 100 })
    assert.equal(await many(token), 5)
    const params = { tokenids: [tokenid], output: ['uses'] }
    assert.deepEqual(await ok(daemon, 'token.get', params, await mint(daemon)), [{ uses: 5 }])
    await ok(daemon, 'Auth.RevokeApiToken', { tokenid }, await mint(daemon))
    assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, token), 401)
  })

  it('is explained, which takes nothing of it', async () => {
    const { token, tokenid } = await make(daemon, await mint(daemon))
    const explain = async () =>
      (
        await ok<{ rule: string }>(
          daemon,
          'token.explain',
          { tokenid, method: 'Auth.WhoAmI' },
          await mint(daemon),
        )
      ).rule
    for (let n = 0; n < 8; n++) assert.equal(await explain(), 'scopes')
    assert.equal(await many(token), 5)
    assert.equal(await explain(), 'rate_limit')
  })

  it('changes with the configuration, from the next call on', async (t) => {
    const own = await startDaemon(t, { config: '[rate]\nper_token = "1/h"\nburst = 1\n' })
    const token = await mint(own)
    assert.deepEqual([await accepted(own, token), await accepted(own, token)], [true, false])
    assert.equal(await reload(own, '[rate]\nper_token = "none"\n'), 'taken')
    for (let n = 0; n < 20; n++) assert.ok(await accepted(own, token))
  })
})
