import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })

interface Created {
  readonly tokenids: string[]
}

interface Generated {
  readonly token: string
}

async function me(token: string): Promise<{ tokenid: string; scopes: string[]; expires: number | null }> {
  return (await call(daemon, 'Auth.WhoAmI', undefined, { token })).json.result as never
}

const narrow = (...scopes: string[]) => mint(daemon, { ttl: 600, scopes: ['Auth.WhoAmI', ...scopes] })

describe('a token of narrow scopes never comes by wider ones', () => {
  it('by token.create: what it creates has its own', async () => {
    const token = await narrow('token.create', 'token.generate')
    const { json } = await call(daemon, 'token.create', { name: 'child' }, { token })
    const { tokenids } = json.result as Created
    const made = (await call(daemon, 'token.generate', tokenids, { token })).json.result as Generated[]
    const { scopes } = await me(made[0]?.token ?? '')
    assert.deepEqual(scopes, ['Auth.WhoAmI', 'token.create', 'token.generate'])
  })

  it('by token.create with scopes or a creator of its choice', async () => {
    const token = await narrow('token.create')
    for (const more of [{ scopes: ['*'] }, { creator_userid: '1' }, { minted_by: null }])
      assert.notEqual((await call(daemon, 'token.create', { name: 'x', ...more }, { token })).status, 200)
  })

  it('by token.update', async () => {
    const token = await narrow('token.update')
    const { tokenid } = await me(token)
    assert.equal((await call(daemon, 'token.update', { tokenid, scopes: ['*'] }, { token })).status, 403)
    assert.deepEqual((await me(token)).scopes, ['Auth.WhoAmI', 'token.update'])
  })

  it('by token.generate on a wider token of the same user', async () => {
    const token = await narrow('token.generate')
    const { tokenid } = await me(await mint(daemon))
    const { json } = await call(daemon, 'token.generate', [tokenid], { token })
    const [made] = (json.result ?? []) as Generated[]
    assert.deepEqual(
      made === undefined ? [] : (await me(made.token)).scopes,
      [],
      'it got the secret of a wider one',
    )
  })

  it('by having minted more: no token mints', async () => {
    const token = await mint(daemon)
    const { status } = await call(daemon, 'Auth.CreateApiToken', [60], {
      token,
      door: 'tcp',
      headers: { Host: 'a' },
    })
    assert.equal(status, 403)
  })
})
