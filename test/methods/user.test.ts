import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { accepted, call, mint, type RpcError, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon, { ttl: 0 })

async function ask(
  method: string,
  params: unknown,
  token = admin,
): Promise<{ result?: unknown; error?: RpcError }> {
  return (await call(daemon, method, params, { token })).json
}
const ok = async (method: string, params: unknown, token = admin) => {
  const { result, error } = await ask(method, params, token)
  assert.equal(error, undefined, JSON.stringify(error))
  return result
}
const refused = async (method: string, params: unknown, token = admin) => {
  const { error } = await ask(method, params, token)
  return [error?.code, error?.data]
}
const create = async (params: unknown) => ((await ok('user.create', params)) as { userids: string[] }).userids

describe('users', () => {
  it('Admin is there from the first start, a superadmin with id 1', async () => {
    assert.deepEqual(await ok('user.get', {}), [
      { userid: '1', username: 'Admin', name: '', surname: '', roleid: '3', status: '0' },
    ])
  })

  it('are created with ids that rise, a unique name, and a type as word or roleid', async () => {
    const [joe = '', ann = ''] = await create([
      { username: 'joe', name: 'Joe', surname: 'Doe' },
      { username: 'ann', type: 'superadmin' },
    ])
    assert.ok(Number(ann) > Number(joe) && Number(joe) > 1)
    assert.deepEqual(await ok('user.get', { userids: [joe, ann], output: ['username', 'roleid', 'type'] }), [
      { username: 'joe', roleid: '1', type: 'user' },
      { username: 'ann', roleid: '3', type: 'superadmin' },
    ])
    assert.deepEqual(await refused('user.create', { username: 'joe' }), [
      -32602,
      'User with username "joe" already exists.',
    ])
    assert.deepEqual(await refused('user.create', [{ username: 'x' }, { username: 'x' }]), [
      -32602,
      'Invalid parameter "/2": value (username)=(x) already exists.',
    ])
    assert.deepEqual(await refused('user.create', { username: '' }), [
      -32602,
      'Invalid parameter "/1/username": cannot be empty.',
    ])
    assert.deepEqual(await refused('user.create', { username: 'x'.repeat(101) }), [
      -32602,
      'Invalid parameter "/1/username": value is too long.',
    ])
    assert.deepEqual(await refused('user.create', { username: 'y', roleid: 4 }), [
      -32602,
      'Invalid parameter "/1/roleid": value must be one of 1, 2, 3.',
    ])
    const [again = ''] = await create({ username: 'short-lived' })
    await ok('user.delete', [again])
    const [next = ''] = await create({ username: 'short-lived' })
    assert.ok(Number(next) > Number(again))
  })

  it('are found with the machinery of token.get', async () => {
    await create([{ username: 'find-b' }, { username: 'find-a', status: 1 }])
    const names = async (params: object) =>
      ((await ok('user.get', { output: ['username'], ...params })) as { username: string }[]).map(
        ({ username }) => username,
      )
    assert.deepEqual(await names({ search: { username: 'FIND' }, sortfield: 'username' }), [
      'find-a',
      'find-b',
    ])
    assert.deepEqual(await names({ search: { username: 'find' }, filter: { status: 1 } }), ['find-a'])
    assert.equal(await ok('user.get', { search: { username: 'find' }, countOutput: true }), '2')
  })

  it('a minted token may belong to one of them, by id or by name', async () => {
    const [userid = ''] = await create({ username: 'owner' })
    for (const owner of [{ userid }, { username: 'owner' }]) {
      const token = await mint(daemon, { ttl: 60, ...owner })
      assert.deepEqual(((await ok('Auth.WhoAmI', {}, token)) as { user: unknown }).user, {
        userid,
        username: 'owner',
      })
    }
    const mintFor = async (owner: object) =>
      (await call(daemon, 'Auth.CreateApiToken', { ttl: 60, ...owner })).json.error?.data
    assert.equal(await mintFor({ userid: '999' }), 'User with ID "999" is not available.')
    assert.equal(await mintFor({ username: 'nobody' }), 'User with username "nobody" is not available.')
  })

  it('that are disabled have no live tokens and no open connections, from that moment on', async (t) => {
    const [userid = ''] = await create({ username: 'suspended' })
    const token = await mint(daemon, { ttl: 600, userid })
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    await ok('user.update', { userid, status: 1 })
    assert.equal(await accepted(daemon, token), false)
    assert.equal((await ws.closed).code, 4401)
    await ok('user.update', { userid, status: 0 })
    assert.equal(await accepted(daemon, token), true)
  })

  it('that are deleted take their tokens along', async () => {
    const [userid = ''] = await create({ username: 'deleted' })
    const token = await mint(daemon, { ttl: 600, userid })
    await ok('token.create', [
      { name: 'one', userid },
      { name: 'two', userid },
    ])
    assert.deepEqual(await ok('user.delete', [userid]), { userids: [userid] })
    assert.equal(await accepted(daemon, token), false)
    assert.deepEqual(await ok('token.get', { userids: userid }), [])
    assert.deepEqual(await refused('user.delete', [userid]), [
      -32500,
      'No permissions to referred object or it does not exist!',
    ])
  })

  it('Admin can be renamed, but neither deleted nor disabled nor demoted', async () => {
    assert.deepEqual(await refused('user.delete', ['1']), [-32500, 'User "Admin" cannot be deleted.'])
    for (const change of [{ status: 1 }, { roleid: 1 }]) {
      assert.equal((await refused('user.update', { userid: 1, ...change }))[0], -32500)
    }
    await ok('user.update', { userid: 1, name: 'The', surname: 'Admin' })
  })

  it('are managed by superadmins alone; others see themselves only', async () => {
    for (const roleid of [1, 2]) {
      const [userid = ''] = await create({ username: `type ${roleid}`, roleid })
      const token = await mint(daemon, { ttl: 60, userid })
      for (const method of ['user.create', 'user.update', 'user.delete', 'audit.get']) {
        assert.equal((await refused(method, { username: 'x' }, token))[0], -32003, method)
      }
      assert.deepEqual(
        ((await ok('user.get', {}, token)) as { userid: string }[]).map((user) => user.userid),
        [userid],
      )
    }
  })

  it('their types are felt at once', async () => {
    const [userid = ''] = await create({ username: 'promoted' })
    const token = await mint(daemon, { ttl: 60, userid })
    assert.equal((await refused('user.create', { username: 'p1' }, token))[0], -32003)
    await ok('user.update', { userid, type: 'superadmin' })
    assert.equal((await refused('user.create', { username: 'p1' }, token))[0], undefined)
  })

  it('survive a restart', async (t) => {
    const first = await startDaemon(t)
    const token = await mint(first)
    await call(first, 'user.create', { username: 'lasting', roleid: 2 }, { token })
    await first.stop('SIGKILL')
    const second = await startDaemon(t, { directory: first.directory })
    const { json } = await call(second, 'user.get', { output: ['username', 'roleid'] }, { token })
    assert.deepEqual(json.result, [
      { username: 'Admin', roleid: '3' },
      { username: 'lasting', roleid: '2' },
    ])
  })
})
