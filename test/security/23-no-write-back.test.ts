import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon, until } from '../support/daemon.ts'
import { make, ok } from '../support/lives.ts'
import { keysIn } from '../support/stored.ts'
import { accepted, call, mint } from '../support/talk.ts'

const CONFIG = '[tokens]\nlast_access_flush = "50ms"\n[rate]\nfailures_per_address = "none"\n'
const daemon = await startDaemon({ after }, { config: CONFIG })
const admin = await mint(daemon)

/** Calls with a token over and over until told to stop; returns the statuses that came, of calls sent since `mark` apart. */
function hammer(token: string, on = daemon) {
  let going = true
  let isMarked = false
  const statuses: number[] = []
  const sinceMark: number[] = []
  const work = async () => {
    while (going) {
      // Those under way at the mark may be answered behind ones that were sent later.
      const list = isMarked ? sinceMark : statuses
      list.push((await call(on, 'Auth.WhoAmI', {}, { token })).status)
    }
  }
  const workers = Promise.all(Array.from({ length: 6 }, work))
  return {
    statuses,
    sinceMark,
    mark() {
      isMarked = true
    },
    async stop() {
      going = false
      await workers
    },
  }
}

async function field<T>(tokenid: string, name: string): Promise<T | undefined> {
  const params = { tokenids: [tokenid], output: [name] }
  return (await ok<Record<string, T>[]>(daemon, 'token.get', params, admin))[0]?.[name]
}

describe('pitfall 23: verifying writes nothing back', () => {
  for (const limits of [{}, { max_uses: 1_000_000 }, { idle_ttl: 600 }])
    it(`a revocation that races verifications holds, also after a restart: ${JSON.stringify(limits)}`, async (t) => {
      const running = await startDaemon(t, { config: CONFIG })
      const by = await mint(running)
      const dead: string[] = []
      for (const end of ['Auth.RevokeApiToken', 'token.delete', 'token.update', 'token.generate']) {
        const { token, tokenid } = await make(running, by, limits)
        const load = hammer(token, running)
        await until('it was used', () => load.statuses.length > 20)
        const change = end === 'token.update' ? { tokenid, status: 1 } : { tokenid }
        await ok(running, end, end === 'token.delete' || end === 'token.generate' ? [tokenid] : change, by)
        load.mark()
        await until('it was tried on', () => load.sinceMark.length > 50)
        await load.stop()
        assert.deepEqual(new Set(load.sinceMark), new Set([401]), end)
        dead.push(token)
      }
      await running.stop()
      const again = await startDaemon(t, { directory: running.directory, config: CONFIG })
      for (const token of dead) assert.ok(!(await accepted(again, token)))
      assert.ok(await accepted(again, by))
    })

  for (const limits of [{}, { max_uses: 1_000_000 }, { idle_ttl: 600 }])
    it(`changes that race calls all stay, and refuse no call: ${JSON.stringify(limits)}`, async () => {
      const { token, tokenid } = await make(daemon, admin, limits)
      const load = hammer(token)
      await until('it is used', () => load.statuses.length > 20)
      for (let n = 0; n < 40; n++) {
        await ok(daemon, 'token.update', { tokenid, description: `change ${n}` }, admin)
        assert.equal(await field(tokenid, 'description'), `change ${n}`)
      }
      await load.stop()
      assert.equal(await field(tokenid, 'description'), 'change 39')
      assert.deepEqual(
        load.statuses.filter((status) => status !== 200),
        [],
      )
    })

  it('a change of scopes that races calls is never taken back', async () => {
    const { token, tokenid } = await make(daemon, admin)
    const load = hammer(token)
    for (let n = 0; n < 20; n++) {
      const scopes = n % 2 === 0 ? ['token.get'] : ['Auth.*']
      await ok(daemon, 'token.update', { tokenid, scopes }, admin)
      const status = async (method: string) => (await call(daemon, method, {}, { token })).status
      assert.deepEqual(
        [await status('token.get'), await status('Auth.WhoAmI')],
        n % 2 === 0 ? [200, 403] : [403, 200],
      )
    }
    await load.stop()
  })

  it('last access goes forward only, and revives nobody who has rested too long', async () => {
    const { token, tokenid } = await make(daemon, admin)
    assert.ok(await accepted(daemon, token))
    await ok(daemon, 'token.update', { tokenid, idle_ttl: 1 }, admin)
    const explain = () =>
      ok<{ rule: string }>(daemon, 'token.explain', { tokenid, method: 'Auth.WhoAmI' }, admin)
    await until('it has rested too long', async () => (await explain()).rule === 'idle_ttl')
    const before = await field(tokenid, 'lastaccess')
    for (let n = 0; n < 5; n++) assert.ok(!(await accepted(daemon, token)))
    assert.equal(await field(tokenid, 'lastaccess'), before)
    assert.equal((await explain()).rule, 'idle_ttl')
  })

  for (const [what, limits, rule] of [
    ['has rested too long', { idle_ttl: 1 }, 'idle_ttl'],
    ['is used up', { max_uses: 1 }, 'max_uses'],
    ['is not valid yet', { not_before: Math.floor(Date.now() / 1000) + 3600 }, 'not_before'],
    ['may not be used from here', { allowed_ips: ['192.0.2.1'] }, 'allowed_ips'],
  ] as const)
    it(`user.checkAuthentication neither takes nor revives a token that ${what}`, async () => {
      const { token, tokenid } = await make(daemon, admin, limits)
      await accepted(daemon, token)
      const explain = () =>
        ok<{ rule: string }>(daemon, 'token.explain', { tokenid, method: 'Auth.WhoAmI' }, admin)
      await until('it is dead', async () => (await explain()).rule === rule)
      const before = await field(tokenid, 'lastaccess')
      const question = { token: admin, path: '/api_jsonrpc.php' }
      const { json } = await call(daemon, 'user.checkAuthentication', { token }, question)
      assert.equal((await explain()).rule, rule, 'it lives again')
      assert.ok(!(await accepted(daemon, token)))
      assert.equal(await field(tokenid, 'lastaccess'), before)
      assert.notEqual(json.error, undefined, 'it was said to be good')
    })

  it('a deleted token leaves nothing behind, though it was used until then', async (t) => {
    const running = await startDaemon(t, { config: CONFIG })
    const by = await mint(running)
    const victims = await Promise.all(
      Array.from({ length: 5 }, () => make(running, by, { max_uses: 1000, idle_ttl: 600 })),
    )
    const ids = victims.map(({ tokenid }) => tokenid)
    const loads = victims.map(({ token }) => hammer(token, running))
    await until('they were used', () => loads.every(({ statuses }) => statuses.length > 10))
    await ok(running, 'token.delete', ids, by)
    for (const load of loads) await load.stop()
    await running.stop()
    for (const prefix of ['t/', 'u/', 'v/', 'k/', 'i/', 'y/', 'a/']) {
      const keys = await keysIn(running.stateDir, prefix)
      const left = keys.filter((key) => ids.some((id) => Number(key.split('/').at(-1)) === Number(id)))
      assert.deepEqual(left, [])
    }
  })
})
