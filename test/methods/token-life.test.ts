import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { logged, startDaemon, until } from '../support/daemon.ts'
import { make, ok, statusOf, user } from '../support/lives.ts'
import { accepted, call, mint, webSocket } from '../support/talk.ts'

const CONFIG = '[tokens]\nlast_access_flush = "100ms"\n[rate]\nfailures_per_address = "none"\n'
const daemon = await startDaemon({ after }, { config: CONFIG })
const admin = await mint(daemon)
const administer = <T = unknown>(method: string, params: unknown) => ok<T>(daemon, method, params, admin)
const rotate = (tokenid: string, grace?: number) =>
  administer<{ tokenid: string; token: string }>('token.rotate', {
    tokenid,
    ...(grace !== undefined && { grace }),
  })

interface LateUse {
  readonly address: string
  readonly token: string
}
const lateUses = (tokenid: string) => administer<LateUse[]>('audit.get', { event: 'token.late_use', tokenid })

describe('token.rotate', () => {
  it('makes a new secret, and the old one is dead at once where no grace, or 0, is given', async () => {
    for (const grace of [undefined, 0]) {
      const { token, tokenid } = await make(daemon, admin)
      const made = await rotate(tokenid, grace)
      assert.equal(made.tokenid, tokenid)
      assert.notEqual(made.token, token)
      assert.deepEqual([await accepted(daemon, token), await accepted(daemon, made.token)], [false, true])
    }
  })

  it('lets the old one live as long as the grace, and no longer', async () => {
    const { token, tokenid } = await make(daemon, admin)
    const { token: fresh } = await rotate(tokenid, 1)
    await until('the grace is over', async () => !(await accepted(daemon, token)))
    assert.ok(await accepted(daemon, fresh))
  })

  it('keeps two secrets at most: a second rotation ends the first grace', async () => {
    const { token, tokenid } = await make(daemon, admin)
    const second = await rotate(tokenid, 600)
    const third = await rotate(tokenid, 600)
    const lives = await Promise.all([token, second.token, third.token].map((one) => accepted(daemon, one)))
    assert.deepEqual(lives, [false, true, true])
  })

  it('grace outlasts neither the token nor a restart', async (t) => {
    const first = await startDaemon(t, { config: CONFIG })
    const by = await mint(first)
    const [one, two] = [await make(first, by), await make(first, by)]
    await ok(first, 'token.rotate', { tokenid: one.tokenid, grace: 600 }, by)
    await ok(first, 'token.rotate', { tokenid: two.tokenid, grace: 600 }, by)
    await ok(first, 'token.update', { tokenid: one.tokenid, expires_at: 1 }, by)
    await first.stop('SIGKILL')
    const again = await startDaemon(t, { directory: first.directory, config: CONFIG })
    assert.deepEqual([await accepted(again, one.token), await accepted(again, two.token)], [false, true])
  })

  it('renews the calling token itself, keeps what is known about it, and takes no foreign one', async () => {
    const userid = await user(daemon, admin)
    const bounds = { metadata: { team: 'a' }, max_uses: 50, allowed_ips: ['unix'] }
    const { token, tokenid } = await make(daemon, admin, { userid, ...bounds })
    const made = await ok<{ token: string }>(daemon, 'token.rotate', { tokenid }, token)
    assert.ok(await accepted(daemon, made.token))
    const query = { tokenids: [tokenid], output: Object.keys(bounds) }
    assert.deepEqual(await administer('token.get', query), [bounds])
    const foreign = await make(daemon, admin)
    const { json } = await call(daemon, 'token.rotate', { tokenid: foreign.tokenid }, { token: made.token })
    assert.equal(json.error?.code, -32500)
  })
})

describe('a use of a secret after its grace', () => {
  it('is a warning with where it came from, once for each place, and kills nothing', async () => {
    const { token, tokenid } = await make(daemon, admin)
    const { token: fresh } = await rotate(tokenid, 0)
    for (let n = 0; n < 3; n++)
      for (const door of ['unix', 'tcp'] as const)
        assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, token, { door }), 401)
    await until('both are in the audit log', async () => (await lateUses(tokenid)).length >= 2)
    const found = await lateUses(tokenid)
    assert.deepEqual(found.map(({ address }) => address).sort(), ['127.0.0.1', 'unix'])
    await logged(daemon, /"level":40[^\n]*token\.late_use/)
    assert.ok(await accepted(daemon, fresh))
  })

  it('is noticed on the Zabbix path and at the upgrade, and not within the grace', async (t) => {
    for (const use of [
      (token: string) => call(daemon, 'token.get', {}, { token, path: '/api_jsonrpc.php' }),
      (token: string) =>
        webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } }).catch(() => {}),
      (Token: string) => call(daemon, 'Auth.WhoAmI', { Token }),
    ]) {
      const { token, tokenid } = await make(daemon, admin)
      await rotate(tokenid, 600)
      await use(token)
      assert.deepEqual(await lateUses(tokenid), [])
      await administer('token.generate', [tokenid])
      const fresh = await make(daemon, admin)
      await rotate(fresh.tokenid)
      await use(fresh.token)
      await until('it is noticed', async () => (await lateUses(fresh.tokenid)).length === 1)
    }
  })

  it('holds no secret', async () => {
    const { token, tokenid } = await make(daemon, admin)
    await rotate(tokenid)
    await accepted(daemon, token)
    await until('it is noticed', async () => (await lateUses(tokenid)).length === 1)
    assert.ok(!JSON.stringify(await lateUses(tokenid)).includes(token.slice(4, 40)))
    assert.ok(!daemon.log().includes(token.slice(4, 40)))
  })
})

describe('token.revoke', () => {
  it('ends those that fulfil every condition, and no others', async () => {
    const [one, two] = [await user(daemon, admin), await user(daemon, admin)]
    const [a, b] = [await make(daemon, admin, { userid: one }), await make(daemon, admin, { userid: two })]
    const [created] = await administer<{ tokenids: string[] }>('token.create', {
      name: 'of admin',
      userid: two,
    }).then(({ tokenids }) => tokenids)
    const none = { tokens: 0, connections: 0 }
    assert.deepEqual(await administer('token.revoke', { userid: one, created_before: 1 }), none)
    assert.deepEqual(await administer('token.revoke', { userid: one, minted_on: 'tcp' }), none)
    assert.deepEqual(await administer('token.revoke', { userid: one, minted_by_uid: 4_294_967_294 }), none)
    assert.ok(await accepted(daemon, a.token))
    const far = 253_402_300_799
    const filter = { created_before: far, userid: one, minted_on: 'unix', minted_by_uid: process.getuid?.() }
    assert.deepEqual(await administer('token.revoke', filter), { tokens: 1, connections: 0 })
    assert.deepEqual([await accepted(daemon, a.token), await accepted(daemon, b.token)], [false, true])
    const creator = { userid: two, creator_userid: '1' }
    assert.deepEqual(await administer('token.revoke', creator), { tokens: 1, connections: 0 })
    assert.ok(await accepted(daemon, b.token))
    assert.equal(await statusOf(daemon, 'token.generate', [created], admin), 400)
  })

  it('is for superadmins, and says which tokens: never all by saying nothing', async () => {
    const plain = await mint(daemon, { ttl: 60, userid: await user(daemon, admin, 'admin') })
    assert.equal(await statusOf(daemon, 'token.revoke', { userid: '1' }, plain), 403)
    for (const params of [{}, [], undefined, { userid: null }, { created_before: -1 }, { nonsense: 1 }])
      assert.equal(await statusOf(daemon, 'token.revoke', params, admin), 400)
    assert.ok(await accepted(daemon, admin))
  })

  it('ends hundreds at once, the caller’s own with them, each with its line', async (t) => {
    const own = await startDaemon(t)
    const by = await mint(own)
    const tokens = await Promise.all(Array.from({ length: 250 }, () => mint(own)))
    const done = await ok(own, 'token.revoke', { created_before: 253_402_300_799 }, by)
    assert.deepEqual(done, { tokens: 251, connections: 0 })
    for (const token of [by, tokens[0], tokens[124], tokens[249]])
      assert.ok(!(await accepted(own, token ?? '')))
    const params = { event: 'token.revoke', limit: 1000 }
    assert.equal((await ok<unknown[]>(own, 'audit.get', params, await mint(own))).length, 251)
  })
})
