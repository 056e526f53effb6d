import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { make, ok, statusOf } from '../support/lives.ts'
import { call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)

const BOUNDS = {
  scopes: ['token.*', 'Auth.WhoAmI'],
  max_uses: 9,
  idle_ttl: 600,
  allowed_ips: ['unix', '10.0.0.0/8', '::1'],
  rate_limit: { per_second: 5, burst: 7 },
  not_before: 1_700_000_000,
  metadata: { team: 'ops', nested: { a: [1, 'ü', null] } },
}
const NONE = {
  max_uses: null,
  idle_ttl: null,
  allowed_ips: null,
  rate_limit: null,
  not_before: null,
  metadata: null,
}
const named = (tokenid: string) =>
  ok<object[]>(daemon, 'token.get', { tokenids: [tokenid], output: Object.keys(BOUNDS) }, admin).then(
    ([row]) => row,
  )

describe('what bounds a token', () => {
  it('is taken by Auth.CreateApiToken, token.create and token.update, and told by token.get where it is named', async () => {
    const minted = await make(daemon, admin, BOUNDS)
    assert.deepEqual(await named(minted.tokenid), BOUNDS)
    const { tokenids } = await ok<{ tokenids: string[] }>(
      daemon,
      'token.create',
      { name: 'c', ...BOUNDS },
      admin,
    )
    assert.deepEqual(await named(tokenids[0] ?? ''), BOUNDS)
    const { tokenid } = await make(daemon, admin)
    assert.deepEqual(await named(tokenid), { scopes: ['*'], ...NONE })
    await ok(daemon, 'token.update', { tokenid, ...BOUNDS }, admin)
    assert.deepEqual(await named(tokenid), BOUNDS)
    await ok(daemon, 'token.update', { tokenid, name: 'renamed' }, admin)
    assert.deepEqual(await named(tokenid), BOUNDS, 'what is not said stays')
    await ok(daemon, 'token.update', { tokenid, ...NONE, scopes: ['*'] }, admin)
    assert.deepEqual(await named(tokenid), { scopes: ['*'], ...NONE })
  })

  it('is not in token.get where it is not named, so that Zabbix’s clients see what they know', async () => {
    const { tokenid } = await make(daemon, admin, BOUNDS)
    for (const output of [undefined, 'extend']) {
      const params = { tokenids: [tokenid], ...(output && { output }) }
      const [row = {}] = await ok<object[]>(daemon, 'token.get', params, admin)
      for (const name of Object.keys(BOUNDS)) assert.ok(!(name in row), name)
    }
  })

  it('has room for 4 KiB of metadata, an object, and for nothing that is none', async () => {
    const text = (bytes: number) => ({ x: 'y'.repeat(bytes - '{"x":""}'.length) })
    const mintWith = async (metadata: unknown) =>
      (await call(daemon, 'Auth.CreateApiToken', { ttl: 60, metadata })).status
    assert.equal(await mintWith(text(4096)), 200)
    assert.equal(await mintWith({ x: 'ü'.repeat(2044) }), 200)
    for (const bad of [text(4097), { x: 'ü'.repeat(2045) }, [], 'text', 1, true])
      assert.equal(await mintWith(bad), 400)
  })

  it('keeps an idle_ttl that a crash could make too short out: ten flushes of last access at least', async () => {
    const { tokenid } = await make(daemon, admin)
    for (const [idle_ttl, status] of [
      [49, 400],
      [50, 200],
    ] as const) {
      assert.equal((await call(daemon, 'Auth.CreateApiToken', { ttl: 60, idle_ttl })).status, status)
      assert.equal(
        await statusOf(daemon, 'token.create', { name: `idle ${idle_ttl}`, idle_ttl }, admin),
        status,
      )
      assert.equal(await statusOf(daemon, 'token.update', { tokenid, idle_ttl }, admin), status)
    }
  })

  it('refuses addresses that are none, and more than there is room for', async () => {
    const many = Array.from({ length: 65 }, (_, n) => `10.0.0.${n}`)
    for (const allowed_ips of [
      [],
      [''],
      ['10.0.0.0/33'],
      ['10.0.0'],
      ['::/129'],
      ['fe80::1%eth0'],
      ['x'],
      many,
      '::1',
      [1],
    ])
      assert.equal((await call(daemon, 'Auth.CreateApiToken', { ttl: 60, allowed_ips })).status, 400)
  })
})
