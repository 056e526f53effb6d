import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { conversation, type Made, make, ok, user } from '../support/lives.ts'
import { call, mint, type Response, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: '[tokens]\nlast_access_flush = "100ms"\n' })
const admin = await mint(daemon)
/** Unix seconds, so much from now. */
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
const administer = (method: string, params: unknown) => ok(daemon, method, params, admin)
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })

interface Victim extends Made {
  readonly userid: string
}

interface Way {
  readonly how: string
  /** Why, as the connection is told. */
  readonly reason: RegExp
  readonly params?: Record<string, unknown>
  readonly end: (victim: Victim) => Promise<unknown>
  /** Whether the token lives on: with fewer rights, or until its time has come. */
  readonly lives?: boolean
}

const update = (change: object) => (victim: Victim) =>
  administer('token.update', { tokenid: victim.tokenid, ...change })

const WAYS: readonly Way[] = [
  {
    how: 'revoked',
    reason: /was revoked/,
    end: ({ tokenid }) => administer('Auth.RevokeApiToken', { tokenid }),
  },
  {
    how: 'revoked by itself',
    reason: /was revoked/,
    end: ({ token }) => ok(daemon, 'Auth.RevokeApiToken', {}, token),
  },
  {
    how: 'revoked by filter',
    reason: /was revoked/,
    end: ({ userid }) => administer('token.revoke', { userid }),
  },
  {
    how: 'replaced',
    reason: /was revoked/,
    end: ({ name, userid }) => mint(daemon, { ttl: 0, name, userid, replace: true }),
  },
  { how: 'disabled', reason: /is disabled/, end: update({ status: 1 }) },
  { how: 'deleted', reason: /was deleted/, end: ({ tokenid }) => administer('token.delete', [tokenid]) },
  {
    how: 'generated anew',
    reason: /has another secret/,
    end: ({ tokenid }) => administer('token.generate', [tokenid]),
  },
  {
    how: 'rotated without grace',
    reason: /has another secret/,
    end: ({ tokenid }) => administer('token.rotate', { tokenid }),
  },
  { how: 'given an end in the past', reason: /has expired/, end: update({ expires_at: inSeconds(-10) }) },
  {
    how: 'given a later beginning',
    reason: /not valid yet/,
    end: update({ not_before: inSeconds(3600) }),
  },
  {
    how: 'bound to other addresses',
    reason: /from this address/,
    end: update({ allowed_ips: ['192.0.2.0/24'] }),
  },
  {
    how: 'used as often as it may',
    reason: /used as often/,
    params: { max_uses: 2 },
    end: ({ token }) => ok(daemon, 'Auth.WhoAmI', {}, token),
  },
  {
    how: 'left fewer uses than it had',
    reason: /used as often/,
    params: { max_uses: 9 },
    end: update({ max_uses: 1 }),
  },
  {
    how: 'narrowed in its scopes',
    reason: /rights were narrowed/,
    end: update({ scopes: ['token.*', 'Auth.*'] }),
    lives: true,
  },
  {
    how: 'of a user who is disabled',
    reason: /user who is disabled/,
    end: ({ userid }) => administer('user.update', { userid, status: 1 }),
  },
  {
    how: 'of a user who is deleted',
    reason: /user who was deleted/,
    end: ({ userid }) => administer('user.delete', [userid]),
  },
  {
    how: 'of a user who is demoted',
    reason: /rights were narrowed/,
    end: ({ userid }) => administer('user.update', { userid, type: 'user' }),
    lives: true,
  },
  // Given no end before all of its connections are open, however long that takes.
  {
    how: 'expired',
    reason: /has expired/,
    end: ({ tokenid }) => administer('token.update', { tokenid, expires_at: inSeconds(2) }),
    lives: true,
  },
  {
    how: 'not used for too long',
    reason: /not used for too long/,
    end: update({ idle_ttl: 1 }),
    lives: true,
  },
  {
    how: 'rotated, when the grace is over',
    reason: /grace of the old one is over/,
    end: ({ tokenid }) => administer('token.rotate', { tokenid, grace: 1 }),
    lives: true,
  },
]

describe('pitfall 20: what ends a token ends its connections', () => {
  for (const { how, reason, params = {}, end, lives = false } of WAYS)
    it(`${how}: idle WebSocket and watch close, and nothing more is answered`, async (t) => {
      const userid = await user(daemon, admin, 'superadmin')
      const bystander = await webSocket(t, daemon, bearer(await mint(daemon)))
      const made = await make(daemon, admin, { userid, ...params })
      const { token } = made
      const idle = await webSocket(t, daemon, { door: 'tcp', ...bearer(token) })
      const watch = conversation(t, daemon)
      assert.ok((await watch.call('token.watch', { Token: token }))?.result)
      const talking = await webSocket(t, daemon, bearer(token))

      await end({ ...made, userid })
      if (talking.ws.readyState === talking.ws.OPEN && !lives) {
        talking.send({ jsonrpc: '2.0', id: 'late', method: 'audit.get', params: {} })
        const first = await Promise.race([talking.next(), talking.closed.then(() => undefined)])
        assert.equal((first as Response | undefined)?.result, undefined)
      }
      const closed = await Promise.all([idle.closed, talking.closed])
      for (const { code, reason: told } of closed) {
        assert.equal(code, 4401)
        assert.match(told, reason)
      }
      await watch.closed
      const { status } = await call(daemon, 'audit.get', {}, { token })
      assert.notEqual(status, 200, 'nor is a new call')
      assert.ok((await bystander.call('Auth.WhoAmI')).result, 'others stay')
    })

  it('a watch over a WebSocket that nobody showed a token to closes with that of the watch', async (t) => {
    const { token, tokenid } = await make(daemon, admin)
    const ws = await webSocket(t, daemon)
    assert.ok((await ws.call('token.watch', { Token: token })).result)
    await administer('Auth.RevokeApiToken', { tokenid })
    assert.equal((await ws.closed).code, 4401)
  })

  it('a watch that was the last use of its token ends as well', async (t) => {
    const { token } = await make(daemon, admin, { max_uses: 1 })
    const later = await make(daemon, admin)
    const clock = await webSocket(t, daemon, bearer(later.token))
    const watch = conversation(t, daemon)
    await watch.call('token.watch', { Token: token })
    const after = Symbol('still open')
    // Whatever would have ended it by itself has happened when a token has expired that was given its end later.
    await administer('token.update', { tokenid: later.tokenid, expires_at: inSeconds(2) })
    const outcome = await Promise.race([watch.closed, clock.closed.then(() => after)])
    assert.notEqual(outcome, after)
  })

  it('a rename, a description and wider rights leave connections open', async (t) => {
    const { token, tokenid } = await make(daemon, admin, { scopes: ['Auth.WhoAmI'] })
    const ws = await webSocket(t, daemon, bearer(token))
    for (const change of [{ name: 'other' }, { description: 'x' }, { scopes: ['*'] }, { metadata: { a: 1 } }])
      await administer('token.update', { tokenid, ...change })
    assert.ok((await ws.call('token.get', {})).result)
    assert.equal(ws.ws.readyState, ws.ws.OPEN)
  })

  it('token.revoke tells how many tokens and connections it ended, each once', async (t) => {
    const userid = await user(daemon, admin)
    const [one, two] = [await make(daemon, admin, { userid }), await make(daemon, admin, { userid })]
    await make(daemon, admin, { userid })
    const both = [
      await webSocket(t, daemon, bearer(one.token)),
      await webSocket(t, daemon, bearer(one.token)),
    ]
    const watching = await webSocket(t, daemon, bearer(two.token))
    await watching.call('token.watch', {})
    assert.deepEqual(await administer('token.revoke', { userid }), { tokens: 3, connections: 3 })
    for (const { closed } of [...both, watching]) assert.equal((await closed).code, 4401)
    assert.deepEqual(await administer('token.revoke', { userid }), { tokens: 0, connections: 0 })
  })
})
