import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { make, ok, statusOf } from '../support/lives.ts'
import { callAt } from '../support/remote.ts'
import { accepted, call, http, mint, type Response, UpgradeRefused, webSocket } from '../support/talk.ts'

const unknown = (n: number) => `pst_${String(n).padStart(43, 'A')}0000000`

describe('pitfall 26: who sends unknown tokens', () => {
  const config = '[rate]\nfailures_per_address = "60/m"\n'

  it('is told to wait after the burst on every door, while valid tokens pass', async (t) => {
    const daemon = await startDaemon(t, { config })
    const { token, tokenid } = await make(daemon, await mint(daemon))
    const guesses = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        call(daemon, 'Auth.WhoAmI', {}, { token: unknown(n), door: n % 2 ? 'unix' : 'tcp' }),
      ),
    )
    const refused = guesses.filter(({ status }) => status === 429)
    assert.ok(guesses.filter(({ status }) => status === 401).length >= 10)
    assert.ok(refused.length > 0)
    for (const { headers, json } of refused) {
      assert.match(String(headers['retry-after']), /^[1-9]\d*$/)
      assert.equal(json.error?.code, -32029)
    }
    assert.ok(await accepted(daemon, token))
    for (const path of ['/api/', '/api_jsonrpc.php'])
      assert.equal((await call(daemon, 'token.get', { tokenids: tokenid }, { token, path })).status, 200)
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    assert.ok((await ws.call('Auth.WhoAmI')).result)
  })

  it('is told so on the remote door, and not on this host, where nobody says anything', async (t) => {
    const directory = temporaryDirectory(t)
    const place = join(directory, 'remote.sock')
    const daemon = await startDaemon(t, { directory, config: `[[remote]]\nlisten = "unix:${place}"\n` })
    const here = await Promise.all(
      Array.from({ length: 150 }, (_, n) => call(daemon, 'Auth.WhoAmI', {}, { token: unknown(n) })),
    )
    assert.ok(here.every(({ status }) => status === 401))
    // A hundred at once, and ten a second: so many that it is not enough, however long they take.
    const there = await Promise.all(
      Array.from({ length: 500 }, (_, n) => callAt(place, 'Auth.WhoAmI', undefined, { token: unknown(n) })),
    )
    assert.ok(there.some(({ status }) => status === 429))
  })

  it('cannot guess on through a batch, the Zabbix path, a WebSocket or garbage', async (t) => {
    const daemon = await startDaemon(t, { config: '[rate]\nfailures_per_address = "1/h"\n' })
    assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, unknown(0)), 401)
    assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, unknown(1)), 429)
    assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, 'garbage'), 429)
    const element = (n: number) => ({
      jsonrpc: '2.0',
      id: n,
      method: 'Auth.WhoAmI',
      params: { Token: unknown(n) },
    })
    const { json } = await http(daemon, JSON.stringify([element(1), element(2)]))
    assert.deepEqual(
      (json as unknown as Response[]).map(({ error }) => error?.code),
      [-32029, -32029],
    )
    const zabbix = await call(daemon, 'token.get', {}, { token: unknown(3), path: '/api_jsonrpc.php' })
    assert.match(zabbix.json.error?.data ?? '', /Too many/)
    const upgrade = webSocket(t, daemon, { headers: { Authorization: `Bearer ${unknown(4)}` } })
    await assert.rejects(upgrade, (error: unknown) => error instanceof UpgradeRefused && error.status === 429)
    const ws = await webSocket(t, daemon)
    assert.equal((await ws.call('Auth.WhoAmI', { Token: unknown(5) })).error?.code, -32029)
  })

  it('is counted in user.checkAuthentication as well, where strangers may call it', async (t) => {
    const anonymous = '[zabbix]\nanonymous_methods = ["user.checkAuthentication"]\n'
    const daemon = await startDaemon(t, { config: `[rate]\nfailures_per_address = "1/h"\n${anonymous}` })
    for (let n = 0; n < 20; n++)
      await call(daemon, 'user.checkAuthentication', { token: unknown(n) }, { path: '/api_jsonrpc.php' })
    assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, unknown(20)), 429)
  })

  it('is not who shows a token that has expired or is disabled', async (t) => {
    const daemon = await startDaemon(t, { config: '[rate]\nfailures_per_address = "1/h"\n' })
    const admin = await mint(daemon)
    const { token, tokenid } = await make(daemon, admin)
    for (const change of [{ status: 1 }, { status: 0, expires_at: 1 }]) {
      await ok(daemon, 'token.update', { tokenid, ...change }, admin)
      for (let n = 0; n < 5; n++) assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, token), 401)
    }
    assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, unknown(0)), 401)
  })
})
