import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon, until } from '../support/daemon.ts'
import { type Made, make, ok, user } from '../support/lives.ts'
import { call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: '[tokens]\nlast_access_flush = "100ms"\n' })
const admin = await mint(daemon)
const administer = <T = unknown>(method: string, params: unknown) => ok<T>(daemon, method, params, admin)

interface Explanation {
  readonly allowed: boolean
  readonly rule: string
  readonly reason: string
}
const explain = (params: object) =>
  administer<Explanation>('token.explain', { method: 'Auth.WhoAmI', ...params })

interface Case {
  readonly rule: string
  readonly params?: Record<string, unknown>
  readonly before?: (made: Made, userid: string) => Promise<unknown>
  readonly ask?: object
  /** Whether it is so only of the secret. */
  readonly bySecret?: boolean
  /** Whether the secret is not known any more. */
  readonly byId?: boolean
  readonly allowed?: boolean
}

const update = (change: object) => (made: Made) =>
  administer('token.update', { tokenid: made.tokenid, ...change })

const CASES: readonly Case[] = [
  { rule: 'scopes', allowed: true },
  { rule: 'scopes', params: { scopes: ['token.*'] } },
  { rule: 'scopes', params: { scopes: ['token.*'] }, ask: { method: 'token.get' }, allowed: true },
  { rule: 'method', ask: { method: 'no.such' } },
  { rule: 'access', ask: { method: 'Auth.CreateApiToken' } },
  { rule: 'access', ask: { method: 'audit.get' } },
  { rule: 'revoked', before: ({ tokenid }) => administer('Auth.RevokeApiToken', { tokenid }), byId: true },
  { rule: 'disabled', before: update({ status: 1 }) },
  { rule: 'expired', before: update({ expires_at: 1 }) },
  { rule: 'owner_disabled', before: (_made, userid) => administer('user.update', { userid, status: 1 }) },
  { rule: 'rotated', before: ({ tokenid }) => administer('token.rotate', { tokenid }), bySecret: true },
  { rule: 'not_before', params: { not_before: Math.floor(Date.now() / 1000) + 3600 } },
  { rule: 'allowed_ips', params: { allowed_ips: ['192.0.2.0/24'] } },
  { rule: 'allowed_ips', params: { allowed_ips: ['unix'] }, ask: { from: '192.0.2.1' } },
  { rule: 'scopes', params: { allowed_ips: ['192.0.2.0/24'] }, ask: { from: '192.0.2.9' }, allowed: true },
  {
    rule: 'max_uses',
    params: { max_uses: 1 },
    before: ({ token }) => ok(daemon, 'Auth.WhoAmI', {}, token),
  },
]

// The rule rate_limit is in test/security/26, where no bucket fills again meanwhile.
describe('token.explain', () => {
  for (const { rule, params = {}, before, ask = {}, bySecret, byId, allowed = false } of CASES)
    it(`names the rule ${rule}: ${JSON.stringify({ ...params, ...ask })}`, async () => {
      const userid = await user(daemon, admin)
      const made = await make(daemon, admin, { userid, ...params })
      await before?.(made, userid)
      const named = [
        ...(bySecret ? [] : [{ tokenid: made.tokenid }]),
        ...(byId ? [] : [{ token: made.token }]),
      ]
      for (const name of named) {
        const told = await explain({ ...name, ...ask })
        assert.deepEqual([told.rule, told.allowed], [rule, allowed])
        assert.notEqual(told.reason, '')
      }
    })

  it('names the rule of a token that has rested too long', async () => {
    const { tokenid } = await make(daemon, admin, { idle_ttl: 1 })
    await until('it has rested', async () => (await explain({ tokenid })).rule === 'idle_ttl')
  })

  it('says what a call then meets', async () => {
    const token = await mint(daemon, { ttl: 60, scopes: ['token.*'], userid: await user(daemon, admin) })
    for (const method of ['token.get', 'Auth.WhoAmI', 'audit.get', 'nope', 'rpc.discover']) {
      const { allowed } = await administer<Explanation>('token.explain', { token, method })
      const { error } = (await call(daemon, method, {}, { token })).json
      assert.equal(allowed, error === undefined, method)
    }
  })

  it('of an unknown secret says so to superadmins, and no more than of a foreign token to others', async () => {
    const stranger = `pst_${'A'.repeat(50)}`
    assert.equal((await explain({ token: stranger })).rule, 'unknown')
    const plain = await mint(daemon, { ttl: 60, userid: await user(daemon, admin) })
    const foreign = await make(daemon, admin)
    const bodies = []
    for (const named of [
      { token: stranger },
      { token: foreign.token },
      { tokenid: foreign.tokenid },
      { tokenid: '999999999' },
    ]) {
      const { body } = await call(
        daemon,
        'token.explain',
        { ...named, method: 'token.get' },
        { token: plain },
      )
      bodies.push(body)
    }
    assert.equal(new Set(bodies).size, 1)
    assert.match(bodies[0] ?? '', /-32500/)
  })

  it('tells a user about their own tokens, the calling one included', async () => {
    const userid = await user(daemon, admin)
    const [one, two] = [await make(daemon, admin, { userid }), await make(daemon, admin, { userid })]
    for (const named of [{ tokenid: one.tokenid }, { tokenid: two.tokenid }, { token: two.token }]) {
      const params = { ...named, method: 'token.get' }
      assert.ok((await ok<Explanation>(daemon, 'token.explain', params, one.token)).allowed)
    }
  })

  it('wants one name of the token, a method, and an address that is one', async () => {
    const { token, tokenid } = await make(daemon, admin)
    for (const params of [
      { method: 'x' },
      { tokenid, token, method: 'x' },
      { tokenid },
      { tokenid, method: '' },
      { tokenid, method: 'x', from: 'localhost' },
      { tokenid, method: 'x', from: '10.0.0.0/8' },
    ])
      assert.equal((await call(daemon, 'token.explain', params, { token: admin })).status, 400)
  })

  it('changes nothing: no use, no last access', async () => {
    const { token, tokenid } = await make(daemon, admin, { max_uses: 3 })
    for (let n = 0; n < 5; n++) await explain(n % 2 ? { token } : { tokenid })
    const query = { tokenids: [tokenid], output: ['uses', 'lastaccess'] }
    assert.deepEqual(await administer('token.get', query), [{ lastaccess: '0', uses: 0 }])
  })
})
