import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type Daemon, startDaemon } from '../support/daemon.ts'
import { conversation, make, ok } from '../support/lives.ts'
import { call, http, mint, type Response, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)

async function uses(tokenid: string, on = daemon, by = admin): Promise<number | null | undefined> {
  const params = { tokenids: [tokenid], output: ['uses'] }
  return (await ok<{ uses: number | null }[]>(on, 'token.get', params, by))[0]?.uses
}

/** A batch, and how many of its elements succeeded. */
async function batch(token: string, count: number, path = '/api/'): Promise<number> {
  const elements = Array.from({ length: count }, (_, id) => ({
    jsonrpc: '2.0',
    id,
    method: 'token.get',
    params: { limit: 1 },
  }))
  const { json } = await http(daemon, JSON.stringify(elements), { token, path })
  const answers = json as unknown as Response[]
  assert.equal(answers.length, count)
  return answers.filter(({ error }) => error === undefined).length
}

const succeeded = async (on: Daemon, token: string, path = '/api/', door: 'unix' | 'tcp' = 'unix') =>
  (await call(on, 'token.get', { limit: 1 }, { token, path, door })).json.error === undefined

describe('pitfall 22: a token is used as often as it may, and no more', () => {
  it('200 uses at once over all doors: one succeeds', async (t) => {
    const { token, tokenid } = await make(daemon, admin, { max_uses: 1 })
    const ws = await webSocket(t, daemon)
    const lines = conversation(t, daemon)
    const elsewhere = async (ask: () => Promise<Response | undefined>) => (await ask())?.error === undefined
    const params = { limit: 1, Token: token }
    const tries = await Promise.all(
      Array.from({ length: 200 }, (_, n) => {
        if (n % 5 === 0) return succeeded(daemon, token)
        if (n % 5 === 1) return succeeded(daemon, token, '/api/', 'tcp')
        if (n % 5 === 2) return succeeded(daemon, token, '/api_jsonrpc.php')
        if (n % 5 === 3) return elsewhere(() => ws.call('token.get', params))
        return elsewhere(() => lines.call('token.get', params))
      }),
    )
    assert.equal(tries.filter(Boolean).length, 1)
    assert.equal(await uses(tokenid), 1)
  })

  for (const path of ['/api/', '/api_jsonrpc.php'])
    it(`each element of a batch on ${path} is a use`, async () => {
      const { token, tokenid } = await make(daemon, admin, { max_uses: 7 })
      assert.equal(await batch(token, 50, path), 7)
      assert.equal(await uses(tokenid), 7)
      assert.equal(await batch(token, 2, path), 0)
    })

  it('batches side by side share what is left', async () => {
    const { token } = await make(daemon, admin, { max_uses: 20 })
    const paths = ['/api/', '/api_jsonrpc.php', '/api/', '/api_jsonrpc.php']
    const counts = await Promise.all(paths.map((path) => batch(token, 10, path)))
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      20,
    )
  })

  it('a call that fails, or is forbidden, is a use all the same', async () => {
    const { token, tokenid } = await make(daemon, admin, { max_uses: 3, scopes: ['Auth.WhoAmI'] })
    await call(daemon, 'token.get', {}, { token })
    await call(daemon, 'Auth.WhoAmI', { nonsense: 1 }, { token })
    assert.equal(await uses(tokenid), 2)
    assert.equal((await call(daemon, 'Auth.WhoAmI', {}, { token })).status, 200)
    assert.equal((await call(daemon, 'Auth.WhoAmI', {}, { token })).status, 401)
  })

  it('an upgrade, an explanation, a mint and a look at it use nothing', async (t) => {
    const { token, tokenid } = await make(daemon, admin, { max_uses: 1 })
    await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    for (const named of [{ tokenid }, { token }])
      await ok(daemon, 'token.explain', { ...named, method: 'token.get' }, admin)
    await ok(daemon, 'token.get', { token }, admin)
    await call(daemon, 'Auth.CreateApiToken', { ttl: 1 }, { token })
    assert.equal(await uses(tokenid), 0)
    assert.ok(await succeeded(daemon, token))
    assert.ok(!(await succeeded(daemon, token)))
  })

  it('a killed daemon has forgotten no use that it answered', async (t) => {
    let running = await startDaemon(t)
    const by = await mint(running)
    const { token, tokenid } = await make(running, by, { max_uses: 60 })
    let served = 0
    for (const enough of [10, 25, 40]) {
      const worker = async () => {
        while (await succeeded(running, token)) if (++served === enough) process.kill(running.pid, 'SIGKILL')
      }
      await Promise.allSettled(Array.from({ length: 8 }, worker))
      await running.stop('SIGKILL')
      running = await startDaemon(t, { directory: running.directory })
      const counted = (await uses(tokenid, running, by)) ?? 0
      assert.ok(counted >= served, `${served} were served, ${counted} are counted`)
    }
    const left = 60 - ((await uses(tokenid, running, by)) ?? 0)
    const rest = await Promise.all(Array.from({ length: 100 }, () => succeeded(running, token)))
    assert.equal(rest.filter(Boolean).length, left)
  })

  it('more uses than before can be given, and none are given back by a new secret', async () => {
    const { token, tokenid } = await make(daemon, admin, { max_uses: 1 })
    assert.deepEqual([await succeeded(daemon, token), await succeeded(daemon, token)], [true, false])
    await ok(daemon, 'token.update', { tokenid, max_uses: 2 }, admin)
    assert.deepEqual([await succeeded(daemon, token), await succeeded(daemon, token)], [true, false])
    const [made] = await ok<{ token: string }[]>(daemon, 'token.generate', [tokenid], admin)
    assert.ok(!(await succeeded(daemon, made?.token ?? '')))
    const rotated = await ok<{ token: string }>(daemon, 'token.rotate', { tokenid }, admin)
    assert.ok(!(await succeeded(daemon, rotated.token)))
  })

  it('the last use is in the audit log, once', async () => {
    const { token, tokenid } = await make(daemon, admin, { max_uses: 2 })
    await Promise.all(Array.from({ length: 20 }, () => succeeded(daemon, token)))
    const params = { event: 'token.use_up', tokenid }
    const found = await ok<{ uses: number }[]>(daemon, 'audit.get', params, admin)
    assert.deepEqual(
      found.map((line) => line.uses),
      [2],
    )
  })
})
