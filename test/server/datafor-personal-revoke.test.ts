import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import {
  ask,
  configure,
  type Fields,
  PATIENT,
  selfService,
  userWithToken,
  whose,
} from '../support/datafor.ts'
import { call, mint, webSocket } from '../support/talk.ts'

describe('POST personal/revoke', () => {
  it('ends a token at once on every door, and closes its WebSocket with 4401; a second time it is the same', async (t) => {
    const { issue, daemon, joe } = await selfService(t)
    const [one, other] = [await issue(), await issue()]
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${one.token}` } })
    for (const form of [{ jti: one.jti }, { jti: one.jti }])
      assert.deepEqual(await ask(daemon, joe, 'personal/revoke', { form }), {
        status: 200,
        body: { success: true },
      })
    assert.equal((await ws.closed).code, 4401)
    assert.deepEqual([await whose(daemon, one.token), await whose(daemon, other.token)], [undefined, 'joe'])
  })

  it('is for one’s own alone; those of others look as if they were not there', async (t) => {
    const { issue, daemon, admin } = await selfService(t)
    const { token: ann } = await userWithToken(daemon, admin, 'ann')
    const { jti, token } = await issue()
    assert.equal((await ask(daemon, ann, 'personal/revoke', { json: { jti } })).status, 404)
    for (const path of [`../1/${jti}`, `/${jti}`, '', 'x'.repeat(65)])
      assert.ok(
        [400, 404].includes((await ask(daemon, ann, 'personal/revoke', { json: { jti: path } })).status),
      )
    assert.equal(await whose(daemon, token), 'joe')
  })

  it('survives a restart and kill -9, and stays in the list', async (t) => {
    let daemon = await startDaemon(t, { config: PATIENT })
    const admin = await mint(daemon)
    await configure(daemon, admin, { name: 'AI', self_service: '1' })
    const issued = (await ask(daemon, admin, 'personal', { json: {} })).body as { token: string; jti: string }
    const alive = (await ask(daemon, admin, 'personal', { json: {} })).body as { token: string }
    assert.equal(await whose(daemon, issued.token), 'Admin')
    assert.equal((await ask(daemon, admin, 'personal/revoke', { json: { jti: issued.jti } })).status, 200)
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await daemon.stop(signal)
      daemon = await startDaemon(t, { config: PATIENT, directory: daemon.directory })
      assert.deepEqual(
        [await whose(daemon, issued.token), await whose(daemon, alive.token)],
        [undefined, 'Admin'],
      )
      const data = (await ask(daemon, admin, 'personal/list')).body.data as Fields[]
      assert.equal(data.find(({ jti }) => jti === issued.jti)?.status, 'revoked')
    }
  })

  for (const become of ['renamed', 'deleted', 'given away'])
    it(`holds whatever becomes of the user’s name: ${become}`, async (t) => {
      const { issue, daemon, admin, joe } = await selfService(t)
      const { token, jti } = await issue()
      await ask(daemon, joe, 'personal/revoke', { json: { jti } })
      const { json } = await call(daemon, 'user.get', { filter: { username: 'joe' } }, { token: admin })
      const [{ userid }] = json.result as [{ userid: string }]
      if (become === 'deleted') await call(daemon, 'user.delete', [userid], { token: admin })
      else await call(daemon, 'user.update', { userid, username: 'jim' }, { token: admin })
      if (become === 'given away') await userWithToken(daemon, admin, 'joe', 'superadmin')
      assert.equal(await whose(daemon, token), undefined)
    })
})

it('a personal token is its user’s own: it never stands for somebody else who has the name later', async (t) => {
  const { issue, daemon, admin } = await selfService(t)
  const { token } = await issue()
  const { json } = await call(daemon, 'user.get', { filter: { username: 'joe' } }, { token: admin })
  const [{ userid }] = json.result as [{ userid: string }]
  await call(daemon, 'user.delete', [userid], { token: admin })
  assert.equal(await whose(daemon, token), undefined)
})
