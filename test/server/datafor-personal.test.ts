import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  ask,
  claimsOf,
  configure,
  EXAMPLE_TIME,
  type Fields,
  headerOf,
  selfService,
  whose,
} from '../support/datafor.ts'
import { call, mint } from '../support/talk.ts'

const DAY = 86_400_000

describe('GET personal/config', () => {
  it('tells any user which configurations offer personal tokens', async (t) => {
    const { daemon, admin, joe } = await selfService(t)
    await configure(daemon, admin, { name: 'NOT' })
    await ask(daemon, admin, 'update', { json: { name: 'OFF', self_service: '1' } })
    const configs = [{ name: 'AI', expire: 3600, token_name: 'jwt' }]
    const expected = { status: 200, body: { success: true, enabled: true, configs } }
    assert.deepEqual(await ask(daemon, joe, 'personal/config'), expected)
    await ask(daemon, admin, 'delete', { form: { name: 'AI' } })
    assert.deepEqual((await ask(daemon, joe, 'personal/config')).body, {
      success: true,
      enabled: false,
      configs: [],
    })
    assert.equal((await ask(daemon, joe, 'personal', { json: {} })).status, 404)
    assert.equal((await ask(daemon, joe, 'personal', { json: { name: 'NOT' } })).status, 404)
  })
})

describe('POST personal', () => {
  it('answers with the documented fields; the token has exactly three claims, in order', async (t) => {
    const { issue, daemon } = await selfService(t)
    const { token, jti, ...rest } = await issue()
    assert.deepEqual(rest, {
      success: true,
      label: 'AI client',
      expire: 3600,
      issued_at: EXAMPLE_TIME,
      expires_at: EXAMPLE_TIME + 3_600_000,
      username: 'joe',
      name: 'AI',
    })
    assert.deepEqual(Object.entries(claimsOf(token)), [
      ['AI', 'joe'],
      ['exp', EXAMPLE_TIME / 1000 + 3600],
      ['jti', jti],
    ])
    assert.deepEqual(headerOf(token), { typ: 'JWT', alg: 'HS256' })
    assert.equal(await whose(daemon, token), 'joe')
  })

  it('caps expire at the configuration’s, and takes it from a form too', async (t) => {
    const { issue, daemon, joe } = await selfService(t)
    assert.equal((await issue({ expire: 999_999 })).expire, 3600)
    assert.equal((await issue({ expire: 60 })).expire, 60)
    const { body } = await ask(daemon, joe, 'personal', { form: { name: 'AI', label: 'ü', expire: '60' } })
    assert.deepEqual([body.expire, body.label], [60, 'ü'])
    for (const expire of [0, -1, 1.5, '1e3', 4_294_967_296])
      assert.equal((await ask(daemon, joe, 'personal', { json: { expire } })).status, 400, String(expire))
  })

  it('takes a label of 64 characters, not of 65', async (t) => {
    const { issue, daemon, joe } = await selfService(t)
    assert.equal((await issue({ label: '😀'.repeat(64) })).label, '😀'.repeat(64))
    assert.equal((await ask(daemon, joe, 'personal', { json: { label: 'x'.repeat(65) } })).status, 400)
  })

  it('wants the name where several configurations offer it', async (t) => {
    const { issue, daemon, admin, joe } = await selfService(t)
    await configure(daemon, admin, { name: 'TWO', self_service: '1' })
    assert.equal((await ask(daemon, joe, 'personal', { json: {} })).status, 400)
    assert.deepEqual(Object.keys(claimsOf((await issue({ name: 'TWO' })).token)), ['TWO', 'exp', 'jti'])
  })

  it('a JWT issues none that outlives it', async (t) => {
    const { issue, pass, daemon } = await selfService(t)
    const { token, expires_at } = await issue()
    pass(3_000_000)
    const child = await issue({}, token)
    assert.deepEqual([child.expire, child.expires_at], [600, expires_at])
    pass(599_999)
    assert.equal(await whose(daemon, child.token), 'joe')
    pass(1)
    assert.equal(await whose(daemon, child.token), undefined)
  })

  it('an API token that ends issues none that outlives it (pitfall 24)', async (t) => {
    const { issue, daemon } = await selfService(t)
    const short = await mint(daemon, { ttl: 60, username: 'joe' })
    const child = await issue({}, short)
    // Either is right: no token, or one that ends with its issuer.
    assert.ok(
      child.token === undefined || Number(child.expires_at) <= EXAMPLE_TIME + 60_000,
      JSON.stringify(child),
    )
  })
})

describe('GET personal/list', () => {
  it('shows one’s own, the newest first, without the tokens, and each one’s state', async (t) => {
    const { issue, list, pass, daemon, joe, admin } = await selfService(t)
    const short = await issue({ label: 'short', expire: 60 })
    pass(1000)
    const gone = await issue({ label: 'gone' })
    pass(1000)
    const used = await issue({ label: 'used' })
    assert.deepEqual((await ask(daemon, joe, 'personal/revoke', { json: { jti: gone.jti } })).body, {
      success: true,
    })
    pass(60_000)
    assert.equal(await whose(daemon, used.token), 'joe')
    const now = EXAMPLE_TIME + 62_000
    const common = { config: 'AI', revoked_at: null, last_used_at: null }
    const shown = ({ jti, label, issued_at, expires_at }: Fields) => ({ jti, label, issued_at, expires_at })
    assert.deepEqual(await list(), [
      { ...common, ...shown(used), last_used_at: now, status: 'active' },
      { ...common, ...shown(gone), revoked_at: EXAMPLE_TIME + 2000, status: 'revoked' },
      { ...common, ...shown(short), status: 'expired' },
    ])
    assert.deepEqual(await list(admin), [])
    const rows = await call(daemon, 'jwt.personal.list', {}, { token: joe })
    assert.deepEqual(rows.json.result, await list())
    assert.ok(![used, gone, short].some(({ token }) => JSON.stringify(rows.json).includes(token)))
  })

  it('keeps revoked and expired ones for at least 89 days', async (t) => {
    const { issue, list, pass } = await selfService(t)
    await issue()
    for (let day = 0; day < 89; day++) pass(DAY) // a leap of more than a day would not be believed
    assert.equal((await list())[0]?.status, 'expired')
  })
})
