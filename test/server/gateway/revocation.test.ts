import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { gate } from '../../support/behind.ts'
import { make, ok, statusOf } from '../../support/lives.ts'
import { call } from '../../support/talk.ts'
import { upstream } from '../../support/upstreams.ts'

interface Line {
  readonly seq: number
  readonly event: string
  readonly token?: string
  readonly by: { readonly token?: string }
}

/** Connections at a time that the daemon's listener keeps, however long it stands still: the kernel turns away those beyond its backlog. */
const MOST_UNDER_WAY = 100

it('no call is passed on behind the revocation of its token, though both come at once', async (t) => {
  const fake = await upstream(t, 'unix')
  const { daemon, admin } = await gate(t, fake)
  for (let n = 0; n < 20; n++) {
    const { token } = await make(daemon, admin)
    const echo = () => statusOf(daemon, 'unix.echo', [], token)
    await echo()
    let isOver = false
    const revoking = ok(daemon, 'Auth.RevokeApiToken', undefined, token).finally(() => {
      isOver = true
    })
    const calls: Promise<number>[] = []
    let underWay = 0
    const asked = () => {
      underWay++
      return echo().finally(() => underWay--)
    }
    while (!isOver) {
      if (underWay < MOST_UNDER_WAY) calls.push(asked(), asked())
      await nextTurn()
    }
    await Promise.all([revoking, ...calls])
    const lines = await ok<Line[]>(daemon, 'audit.get', { limit: 1000 }, admin)
    const revoked = lines.find(({ event }) => event === 'token.revoke')
    const late = lines.filter(({ event, by, seq }) => {
      return event === 'upstream.call' && by.token === revoked?.token && seq > (revoked?.seq ?? 0)
    })
    assert.notEqual(revoked, undefined)
    assert.deepEqual(late, [])
  }
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
