import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { make, ok, statusOf } from '../support/lives.ts'
import { audit } from '../support/minting.ts'
import { accepted, http, mint, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)
const LONGEST = 4_294_967_295

/** A call with numbers as they are written, which JSON.stringify would not write. */
async function literal(method: string, params: string, token?: string): Promise<number> {
  const body = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`
  return (await http(daemon, body, token === undefined ? {} : { token })).status
}

const BEYOND = ['1e999', '-1e999', '-1', '1.5', '4294967296', '9007199254740993', '1e308', '"60"', '"1e999"']
const NO_NUMBER = ['null', 'true', '[]', '{}', '"Infinity"', '""']

describe('pitfall 19: no lifetime is longer than it says, by whatever number', () => {
  for (const ttl of [...BEYOND, ...NO_NUMBER])
    it(`a ttl of ${ttl} is refused, by name and by position`, async () => {
      assert.equal(await literal('Auth.CreateApiToken', `{"ttl":${ttl}}`), 400)
      assert.equal(await literal('Auth.CreateApiToken', `[${ttl}]`), 400)
    })

  for (const [name, more] of [
    ['idle_ttl', ['1e999', '-1', '0', '1.5', '4294967296', '"60"', 'true']],
    ['not_before', ['1e999', '-1', '1.5', '253402300800', '"60"', 'true']],
    ['max_uses', ['1e999', '-1', '0', '1.5', '1000000001', '"1"', 'true']],
    ['rate_limit', ['1', '{}', '{"per_second":0}', '{"per_second":1e999}', '{"per_second":1,"burst":0.5}']],
  ] as const)
    it(`a bad ${name} is refused`, async () => {
      const { tokenid } = await make(daemon, admin)
      for (const value of more) {
        assert.equal(await literal('Auth.CreateApiToken', `{"ttl":60,"${name}":${value}}`), 400, value)
        const update = `{"tokenid":"${tokenid}","${name}":${value}}`
        assert.equal(await literal('token.update', update, admin), 400, value)
        const create = `{"name":"never","${name}":${value}}`
        assert.equal(await literal('token.create', create, admin), 400, value)
      }
    })

  it('a bad grace is refused, and the secret stays the one', async () => {
    const { token, tokenid } = await make(daemon, admin)
    for (const grace of ['1e999', '-1', '1.5', '7776001', '4294967296', '"60"'])
      assert.equal(await literal('token.rotate', `{"tokenid":"${tokenid}","grace":${grace}}`, admin), 400)
    assert.ok(await accepted(daemon, token))
  })

  it('a huge expires_at is refused, and what is stored is finite', async () => {
    const { tokenid } = await make(daemon, admin, { ttl: 600 })
    const stored = async () => {
      const params = { tokenids: [tokenid], output: ['expires_at'] }
      return (await ok<{ expires_at: string }[]>(daemon, 'token.get', params, admin))[0]?.expires_at
    }
    const before = await stored()
    for (const value of [
      '1e999',
      '1e15',
      '2147483648',
      '9007199254740993',
      '"1e999"',
      '1.5',
      '-2147483649',
    ]) {
      assert.equal(
        await literal('token.update', `{"tokenid":"${tokenid}","expires_at":${value}}`, admin),
        400,
      )
      assert.equal(await literal('token.create', `{"name":"huge","expires_at":${value}}`, admin), 400)
    }
    assert.equal(await stored(), before)
    assert.equal(await statusOf(daemon, 'token.update', { tokenid, expires_at: 2_147_483_647 }, admin), 200)
    assert.equal(await stored(), '2147483647')
  })

  it('an expires_at below zero is long ago', async () => {
    const { token, tokenid } = await make(daemon, admin)
    for (const expires_at of [-1, -2_147_483_648]) {
      await ok(daemon, 'token.update', { tokenid, expires_at }, admin)
      assert.ok(!(await accepted(daemon, token)))
    }
  })

  it('the longest ttl has an end, which is told and stored as a finite number', async () => {
    for (const ttl of [60, 2_147_483, 2_147_484, 2_147_483_648, LONGEST]) {
      const { token, tokenid } = await make(daemon, admin, { ttl })
      type Times = { created: number; expires: number }
      const { created, expires } = await ok<Times>(daemon, 'Auth.WhoAmI', {}, token)
      assert.ok(Number.isFinite(expires))
      assert.equal(Math.round((expires - created) * 1000), ttl * 1000)
      const lines = await audit(daemon, admin)
      const line = lines.find(({ event, token: id }) => event === 'token.mint' && id === tokenid)
      assert.equal(line?.expires, Math.round(expires * 1000))
    }
  })

  it('a connection of a token that ends after the longest timer stays open, and no timer overflows', async (t) => {
    const bounds = [{ ttl: LONGEST }, { ttl: 2_147_484 }, { ttl: 0, idle_ttl: LONGEST }, { ttl: 0 }]
    const open = await Promise.all(
      bounds.map(async (params) => {
        const token = await mint(daemon, params)
        return webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
      }),
    )
    const { token: short, tokenid } = await make(daemon, admin)
    const first = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${short}` } })
    await ok(daemon, 'token.update', { tokenid, expires_at: Math.floor(Date.now() / 1000) + 2 }, admin)
    assert.equal((await first.closed).code, 4401)
    for (const ws of open) {
      assert.equal(ws.ws.readyState, ws.ws.OPEN)
      assert.ok((await ws.call('Auth.WhoAmI')).result)
    }
    assert.doesNotMatch(daemon.log(), /TimeoutOverflowWarning/)
  })
})
