import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { after, describe, it } from 'node:test'
import { type Scope, startDaemon } from '../support/daemon.ts'
import { conversation, type Made, make, ok, user } from '../support/lives.ts'
import { call, http, mint, type Response, UpgradeRefused, webSocket } from '../support/talk.ts'

// Secrets of tokens that are gone are unknown: so many of them would be told to wait instead.
const CONFIG = '[rate]\nfailures_per_address = "none"\n'
const daemon = await startDaemon({ after }, { config: CONFIG })
const admin = await mint(daemon)
const administer = <T = unknown>(method: string, params: unknown) => ok<T>(daemon, method, params, admin)

/** Shows a token, and says whether it was accepted. */
type Ask = (token: string) => Promise<boolean>
type Door = (t: Scope) => Promise<Ask>

/** One TCP connection for all requests. */
const keptAlive: Door = async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  return async (token) => {
    const req = request({
      agent,
      port: daemon.port,
      host: '127.0.0.1',
      path: '/api/',
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    })
    req.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'token.get', params: { limit: 1 } }))
    const [res] = await once(req, 'response')
    res.resume()
    await once(res, 'end')
    return res.statusCode === 200
  }
}

const DOORS: Readonly<Record<string, Door>> = {
  'HTTP on the Unix socket': async () => async (token) =>
    (await call(daemon, 'token.get', { limit: 1 }, { token })).status === 200,
  'a kept TCP connection': keptAlive,
  'the Zabbix path': async () => async (token) =>
    (await call(daemon, 'token.get', { limit: 1 }, { token, path: '/api_jsonrpc.php' })).json.error ===
    undefined,
  "Zabbix's user.checkAuthentication": async () => async (token) =>
    (await call(daemon, 'user.checkAuthentication', { token }, { token: admin, path: '/api_jsonrpc.php' }))
      .json.error === undefined,
  'an open WebSocket': async (t) => {
    const ws = await webSocket(t, daemon)
    return async (token) => (await ws.call('token.get', { limit: 1, Token: token })).error === undefined
  },
  'an open stream of lines': async (t) => {
    const lines = conversation(t, daemon)
    return async (token) => (await lines.call('token.get', { limit: 1, Token: token }))?.error === undefined
  },
  'a batch': async () => async (token) => {
    const element = { jsonrpc: '2.0', id: 1, method: 'token.get', params: { limit: 1, Token: token } }
    const { json } = await http(daemon, JSON.stringify([element, element]))
    return (json as unknown as Response[]).some(({ error }) => error === undefined)
  },
  'the upgrade to a WebSocket': async (t) => async (token) => {
    try {
      await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
      return true
    } catch (error) {
      assert.ok(error instanceof UpgradeRefused && error.status === 401)
      return false
    }
  },
}

type Victim = Made & { readonly userid: string }

const WAYS: Readonly<Record<string, (victim: Victim) => Promise<unknown>>> = {
  revoked: ({ tokenid }) => administer('Auth.RevokeApiToken', { tokenid }),
  'revoked by filter': ({ userid }) => administer('token.revoke', { userid }),
  disabled: ({ tokenid }) => administer('token.update', { tokenid, status: 1 }),
  deleted: ({ tokenid }) => administer('token.delete', [tokenid]),
  'generated anew': ({ tokenid }) => administer('token.generate', [tokenid]),
  'rotated without grace': ({ tokenid }) => administer('token.rotate', { tokenid, grace: 0 }),
  replaced: ({ name, userid }) => mint(daemon, { ttl: 0, name, userid, replace: true }),
  'ended by its expiry': ({ tokenid }) => administer('token.update', { tokenid, expires_at: 1 }),
  'of a disabled user': ({ userid }) => administer('user.update', { userid, status: 1 }),
  'of a deleted user': ({ userid }) => administer('user.delete', [userid]),
}

describe('pitfall 21: no cache hides the end of a token', () => {
  for (const [how, end] of Object.entries(WAYS))
    it(`${how}: refused at once on every door`, async (t) => {
      const userid = await user(daemon, admin)
      const victim = { ...(await make(daemon, admin, { userid })), userid }
      const open = await Promise.all(
        Object.entries(DOORS).map(async ([name, door]) => [name, await door(t)] as const),
      )
      // Twice: found, and then remembered by the cache and the connection.
      for (let n = 0; n < 2; n++)
        for (const [name, ask] of open) assert.ok(await ask(victim.token), `${name}, before`)
      await end(victim)
      const accepted = await Promise.all(open.map(async ([name, ask]) => [name, await ask(victim.token)]))
      assert.deepEqual(
        accepted.filter(([, was]) => was),
        [],
      )
    })

  it('a token that is enabled again is accepted at once on every door', async (t) => {
    const { token, tokenid } = await make(daemon, admin)
    const open = await Promise.all(Object.values(DOORS).map((door) => door(t)))
    for (const status of [1, 0]) {
      await administer('token.update', { tokenid, status })
      const accepted = await Promise.all(open.map((ask) => ask(token)))
      assert.deepEqual(
        accepted,
        open.map(() => status === 0),
      )
    }
  })

  it('a rotated token is accepted by both secrets within the grace, and by the new one alone without', async (t) => {
    const { token, tokenid } = await make(daemon, admin)
    const open = await Promise.all(Object.values(DOORS).map((door) => door(t)))
    const everywhere = async (secret: string, expected: boolean) =>
      assert.deepEqual(
        await Promise.all(open.map((ask) => ask(secret))),
        open.map(() => expected),
      )
    const next = await administer<{ token: string }>('token.rotate', { tokenid, grace: 600 })
    await everywhere(token, true)
    await everywhere(next.token, true)
    const last = await administer<{ token: string }>('token.rotate', { tokenid })
    await everywhere(token, false)
    await everywhere(next.token, false)
    await everywhere(last.token, true)
  })

  it('calls that were sent after the acknowledgement are all refused, while others keep calling', async () => {
    for (let round = 0; round < 10; round++) {
      const { token, tokenid } = await make(daemon, admin)
      let acknowledged = false
      const after: number[] = []
      const worker = async () => {
        while (true) {
          const sentAfter = acknowledged
          const { status } = await call(daemon, 'Auth.WhoAmI', {}, { token })
          if (!sentAfter) continue
          after.push(status)
          return
        }
      }
      const workers = Array.from({ length: 8 }, worker)
      await administer('Auth.RevokeApiToken', { tokenid })
      acknowledged = true
      await Promise.all(workers)
      assert.deepEqual(after, Array(8).fill(401))
    }
  })
})
