import assert from 'node:assert/strict'
import { it } from 'node:test'
import { gate } from '../../support/behind.ts'
import { make, ok, statusOf } from '../../support/lives.ts'
import { call, http } from '../../support/talk.ts'
import { upstream } from '../../support/upstreams.ts'

interface Line {
  readonly seq: number
  readonly event: string
  readonly token?: string
  readonly method?: string
  readonly by: { readonly token?: string }
}

it('no call is passed on behind the revocation of its token, though both come at once', async (t) => {
  const fake = await upstream(t, 'unix')
  const { daemon, admin } = await gate(t, fake)
  for (let n = 0; n < 20; n++) {
    const { token } = await make(daemon, admin)
    await ok(daemon, 'unix.first', [], token)
    const methods = ['unix.a', 'unix.b', 'Auth.RevokeApiToken', ...Array(20).fill('unix.c')]
    const batch = methods.map((method, id) => ({ jsonrpc: '2.0', id, method }))
    await http(daemon, JSON.stringify(batch), { token })
  }
  const lines = await ok<Line[]>(daemon, 'audit.get', { limit: 1000 }, admin)
  const revoked = new Map(
    lines.filter(({ event }) => event === 'token.revoke').map(({ token, seq }) => [token, seq]),
  )
  assert.equal(revoked.size, 20)
  const calls = lines.filter(({ event }) => event === 'upstream.call')
  for (const { seq, by } of calls) assert.ok(seq < (revoked.get(by.token) ?? 0), `line ${seq}`)
  assert.ok(fake.heard.length <= calls.length)
})

it('calls go on after a change of their token that takes nothing from them, and of its owner', async (t) => {
  const fake = await upstream(t, 'unix')
  const { daemon, admin } = await gate(t, fake)
  const { token, tokenid } = await make(daemon, admin)
  const echo = () => statusOf(daemon, 'unix.echo', [], token)
  for (let n = 0; n < 3; n++) {
    assert.equal(await echo(), 200)
    await ok(daemon, 'token.update', [{ tokenid, description: `changed ${n}` }], admin)
    assert.equal(await echo(), 200)
    await ok(daemon, 'user.update', { userid: '1', surname: `changed ${n}` }, admin)
    assert.equal(await echo(), 200)
  }
  await ok(daemon, 'token.update', [{ tokenid, status: '1' }], admin)
  const { status, json } = await call(daemon, 'unix.echo', [], { token })
  assert.deepEqual([status, json.error?.code], [401, -32001])
})
