import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { accepted, call, mint, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })

async function status(token: string, door: 'unix' | 'tcp' = 'unix'): Promise<number> {
  return (await call(daemon, 'Auth.WhoAmI', undefined, { token, door })).status
}

describe('a limited token', () => {
  it('is used as often as it may, and no more, however many try at once', async () => {
    const token = await mint(daemon, { ttl: 0, max_uses: 1 })
    const tries = await Promise.all(Array.from({ length: 200 }, () => status(token)))
    assert.equal(tries.filter((code) => code === 200).length, 1)
    assert.equal(tries.filter((code) => code === 401).length, 199)
    const three = await mint(daemon, { ttl: 0, max_uses: 3 })
    const uses = await Promise.all(Array.from({ length: 10 }, () => status(three)))
    assert.equal(uses.filter((code) => code === 200).length, 3)
  })

  it('is counted once, also when the daemon is killed', async (t) => {
    const first = await startDaemon(t)
    const token = await mint(first, { ttl: 0, max_uses: 1 })
    assert.ok(await accepted(first, token))
    await first.stop('SIGKILL')
    assert.ok(!(await accepted(await startDaemon(t, { directory: first.directory }), token)))
  })

  it('is accepted from its addresses alone', async () => {
    const token = await mint(daemon, { ttl: 0, allowed_ips: ['127.0.0.0/8'] })
    assert.deepEqual([await status(token, 'tcp'), await status(token, 'unix')], [200, 401])
    const local = await mint(daemon, { ttl: 0, allowed_ips: ['10.0.0.0/8', 'unix'] })
    assert.deepEqual([await status(local, 'tcp'), await status(local, 'unix')], [401, 200])
  })

  it('is not accepted before its time', async () => {
    const now = Math.floor(Date.now() / 1000)
    assert.equal(await status(await mint(daemon, { ttl: 0, not_before: now + 3600 })), 401)
    assert.equal(await status(await mint(daemon, { ttl: 0, not_before: now - 1 })), 200)
  })

  it('is told when it calls too often', async (t) => {
    // The narrower of the two rates holds: no bucket fills again meanwhile.
    const slow = await startDaemon(t, { config: '[rate]\nper_token = "1/h"\nburst = 100\n' })
    const token = await mint(slow, { ttl: 0, rate_limit: { per_second: 1, burst: 3 } })
    const answers = []
    for (let n = 0; n < 5; n++) answers.push(await call(slow, 'Auth.WhoAmI', undefined, { token }))
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [200, 200, 200, 429, 429],
    )
    assert.match(String(answers[4]?.headers['retry-after']), /^\d+$/)
  })

  it('closes its connection with its last use', async (t) => {
    const token = await mint(daemon, { ttl: 0, max_uses: 2 })
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    assert.ok((await ws.call('Auth.WhoAmI')).result)
    assert.ok((await ws.call('Auth.WhoAmI')).result)
    assert.equal((await ws.closed).code, 4401)
  })
})
