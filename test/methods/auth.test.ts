import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { WhoAmI } from '../../src/methods/auth.ts'
import type { SystemInfo } from '../../src/methods/system.ts'
import { startDaemon } from '../support/daemon.ts'
import { accepted, call, http, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const whoAmI = async (token: string) =>
  (await call(daemon, 'Auth.WhoAmI', undefined, { token })).json.result as WhoAmI
const create = async (params: unknown) => (await call(daemon, 'Auth.CreateApiToken', params)).json
const data = async (params: unknown) => (await create(params)).error?.data

describe('Auth.CreateApiToken', () => {
  it('takes its parameters by name or by position', async () => {
    for (const params of [{ ttl: 60 }, [60], [60, 'by position', 'a description']]) {
      assert.match(String((await create(params)).result), /^pst_[0-9A-Za-z]{49}$/)
    }
  })

  it('takes 0 and 4294967295', async () => {
    assert.equal((await whoAmI(await mint(daemon, { ttl: 0 }))).expires, null)
    const { created, expires } = await whoAmI(await mint(daemon, { ttl: 4_294_967_295 }))
    assert.equal(Math.round(((expires ?? 0) - created) * 1000), 4_294_967_295_000)
  })

  const bad: [params: string, reason: string][] = [
    ['{}', 'Invalid parameter "/": the parameter "ttl" is missing.'],
    ['{"ttl":"60"}', 'Invalid parameter "/ttl": an integer is expected.'],
    ['{"ttl":1.5}', 'Invalid parameter "/ttl": an integer is expected.'],
    ['{"ttl":null}', 'Invalid parameter "/ttl": an integer is expected.'],
    ['{"ttl":1e309}', 'Invalid parameter "/ttl": an integer is expected.'],
    ['{"ttl":true}', 'Invalid parameter "/ttl": an integer is expected.'],
    ['{"ttl":[60]}', 'Invalid parameter "/ttl": an integer is expected.'],
    ['{"ttl":-1}', 'Invalid parameter "/ttl": value must be one of 0-4294967295.'],
    ['{"ttl":4294967296}', 'Invalid parameter "/ttl": value must be one of 0-4294967295.'],
    ['{"ttl":60,"foo":1}', 'Invalid parameter "/": unexpected parameter "foo".'],
    ['{"foo":1}', 'Invalid parameter "/": unexpected parameter "foo".'],
    ['{"ttl":60,"__proto__":{"x":1}}', 'Invalid parameter "/": unexpected parameter "__proto__".'],
    ['{"ttl":60,"name":""}', 'Invalid parameter "/name": cannot be empty.'],
    ['{"ttl":60,"name":7}', 'Invalid parameter "/name": a character string is expected.'],
    ['{"ttl":60,"name":"\\ud800"}', 'Invalid parameter "/name": a character string is expected.'],
    [`{"ttl":60,"name":"${'x'.repeat(65)}"}`, 'Invalid parameter "/name": value is too long.'],
    ['{"ttl":60,"replace":1}', 'Invalid parameter "/replace": a boolean is expected.'],
    ['[]', 'Invalid parameter "/": the parameter "ttl" is missing.'],
    [
      '[60,"n","d",true,null,"Admin",["*"],1,60,["unix"],{"per_second":1},0,{},14]',
      'Invalid parameter "/": unexpected parameter "14".',
    ],
  ]
  for (const [params, reason] of bad) {
    it(`refuses ${params.slice(0, 40)} with the reason`, async () => {
      const body = `{"jsonrpc":"2.0","method":"Auth.CreateApiToken","id":1,"params":${params}}`
      const { status, json } = await http(daemon, body)
      assert.deepEqual(
        [status, json.error],
        [400, { code: -32602, message: 'Invalid params.', data: reason }],
      )
    })
  }

  it('takes a name of 64 characters, of any kind', async () => {
    for (const name of ['😀'.repeat(64), '__proto__', 'constructor', ' ', 'a/b', 'line\nbreak', '*']) {
      assert.equal((await whoAmI(await mint(daemon, { ttl: 60, name }))).name, name)
    }
  })

  it('makes up a name where none is given, even if somebody has taken it', async () => {
    const { tokenid, name } = await whoAmI(await mint(daemon))
    const next = String(Number(tokenid) + 2)
    await mint(daemon, { ttl: 60, name: name.replace(tokenid, next) })
    assert.notEqual((await whoAmI(await mint(daemon))).name, name)
  })

  it('refuses a name that is taken, and replaces its token if asked to', async () => {
    const first = await mint(daemon, { ttl: 60, name: 'twice' })
    const { error } = await create({ ttl: 60, name: 'twice' })
    assert.deepEqual([error?.code, error?.data], [-32009, 'API token "twice" already exists for userid "1".'])
    const second = await mint(daemon, { ttl: 60, name: 'twice', replace: true })
    assert.deepEqual([await accepted(daemon, first), await accepted(daemon, second)], [false, true])
  })

  it('lets exactly one of 50 parallel mints have a name, and any number replace it', async () => {
    const mints = Array.from({ length: 50 }, () => create({ ttl: 60, name: 'wanted' }))
    assert.equal((await Promise.all(mints)).filter(({ result }) => result !== undefined).length, 1)
    const replacements = Array.from({ length: 10 }, () =>
      mint(daemon, { ttl: 60, name: 'wanted', replace: true }),
    )
    const alive = await Promise.all((await Promise.all(replacements)).map((token) => accepted(daemon, token)))
    assert.equal(alive.filter(Boolean).length, 1)
  })

  it('gives a revoked token’s name away', async () => {
    const first = await mint(daemon, { ttl: 60, name: 'free again' })
    await call(daemon, 'Auth.RevokeApiToken', [], { token: first })
    assert.match(await mint(daemon, { ttl: 60, name: 'free again' }), /^pst_/)
    assert.equal(
      await data({ ttl: 60, name: 'free again' }),
      'API token "free again" already exists for userid "1".',
    )
  })

  it('ends its token ttl seconds after it was created', async () => {
    const token = await mint(daemon, { ttl: 1 })
    const { created, expires } = await whoAmI(token)
    assert.equal(Math.round(((expires ?? 0) - created) * 1000), 1000)
    while (Date.now() / 1000 < (expires ?? 0)) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(await accepted(daemon, token), false)
  })
})

describe('Auth.WhoAmI', () => {
  it('tells the token that calls', async () => {
    const started = Date.now() / 1000
    const { created, expires, last_access, tokenid, ...rest } = await whoAmI(
      await mint(daemon, { ttl: 60, name: 'me' }),
    )
    assert.deepEqual(rest, {
      name: 'me',
      user: { userid: '1', username: 'Admin' },
      type: 'superadmin',
      scopes: ['*'],
    })
    assert.match(tokenid, /^\d+$/)
    assert.ok(created >= started && (expires ?? 0) > created && (last_access ?? 0) >= created)
  })
})

describe('Auth.RevokeApiToken', () => {
  const revoke = (token: string, params?: unknown) => call(daemon, 'Auth.RevokeApiToken', params, { token })

  it('ends the token that calls, where no other is named', async () => {
    const token = await mint(daemon)
    assert.equal((await revoke(token)).json.result, true)
    assert.equal((await revoke(token)).status, 401)
  })

  it('ends another one for a superadmin, and says yes again when it is asked again', async () => {
    const [mine, other] = [await mint(daemon), await mint(daemon)]
    const { tokenid } = await whoAmI(other)
    for (const id of [tokenid, Number(tokenid), `000${tokenid}`]) {
      assert.equal((await revoke(mine, { tokenid: id })).json.result, true)
    }
    assert.deepEqual([await accepted(daemon, other), await accepted(daemon, mine)], [false, true])
  })

  it('answers an id that does not exist as one that is not permitted', async () => {
    const { status, json } = await revoke(await mint(daemon), { tokenid: '999999' })
    assert.deepEqual([status, json.error?.code], [400, -32500])
    assert.equal((await revoke(await mint(daemon), { tokenid: 'x' })).json.error?.code, -32602)
  })
})

describe('system.info', () => {
  it('tells version, uptime, store and counts', async () => {
    const { json } = await call(daemon, 'system.info', undefined, { token: await mint(daemon) })
    const { name, version, uptime, store, counts } = json.result as SystemInfo
    assert.deepEqual([name, store], ['postern', { backend: 'level', writable: true }])
    assert.match(version, /^\d+\.\d+\.\d+/)
    assert.ok(uptime >= 0 && counts.tokens > 0 && counts.users === 1 && counts.connections >= 1)
  })
})

describe('audit.get', () => {
  it('has a line for every mint and revocation, numbered without gaps, and never a secret', async () => {
    const token = await mint(daemon, { ttl: 60, name: 'audited' })
    await call(daemon, 'Auth.RevokeApiToken', undefined, { token })
    const { json } = await call(daemon, 'audit.get', { limit: 1000 }, { token: await mint(daemon) })
    const lines = json.result as { seq: number; event: string; name?: string }[]
    assert.deepEqual(
      lines.map(({ seq }) => seq),
      Array.from({ length: lines.length }, (_, at) => lines.length - at),
    )
    assert.deepEqual(
      lines.filter(({ name }) => name === 'audited').map(({ event }) => event),
      ['token.revoke', 'token.mint'],
    )
    assert.ok(!JSON.stringify(lines).includes('pst_'))
  })

  it('pages on to older lines', async () => {
    const token = await mint(daemon)
    const { json } = await call(daemon, 'audit.get', { limit: 2, before: 4 }, { token })
    assert.deepEqual(
      (json.result as { seq: number }[]).map(({ seq }) => seq),
      [3, 2],
    )
  })
})
