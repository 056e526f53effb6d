import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import {
  ask,
  BASE,
  configure,
  type Fields,
  hmacJwt,
  inSeconds,
  SECRET,
  userWithToken,
  whose,
} from '../support/datafor.ts'
import { call, http, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)
await userWithToken(daemon, admin, 'somebody')
const MASK = '************'
const GOOD = { success: true, msg: 'success' }
const content = async (name: string) => (await ask(daemon, admin, `content?name=${name}`)).body
const accepts = async (name: string, secret: string) =>
  (await whose(daemon, hmacJwt(secret, { [name]: 'somebody', exp: inSeconds(60) }))) === 'somebody'

describe('POST update', () => {
  it('fills in the documented defaults', async () => {
    assert.deepEqual(await ask(daemon, admin, 'update', { json: { name: 'DEF' } }), {
      status: 200,
      body: GOOD,
    })
    const { createdDate, lastModifiedDate, ...fields } = await content('DEF')
    assert.deepEqual(fields, {
      success: true,
      name: 'DEF',
      token_name: 'token',
      secret: MASK,
      expire: 86_400,
      algorithm: 'HS256',
      fieldmap: { username: 'DEF' },
      enable: '0',
      inituser: '1',
      initroles: 'SYS_Reader',
      self_service: '0',
      creatorId: '1',
    })
    assert.ok(Math.abs(Number(createdDate) - Date.now()) < 600_000 && createdDate === lastModifiedDate)
  })

  it('reads a form as it reads JSON', async () => {
    const form = {
      name: 'FORM',
      token_name: 'jwt',
      secret: SECRET,
      expire: '60',
      algorithm: 'HS384',
      fieldmap: '{"username":"uid","email":"mail"}',
      enable: '1',
      inituser: '0',
      initroles: 'SYS_Creator',
      self_service: '1',
    }
    assert.deepEqual(await ask(daemon, admin, 'update', { form }), { status: 200, body: GOOD })
    const { createdDate: _, lastModifiedDate: __, creatorId: ___, ...fields } = await content('FORM')
    const expected = { ...form, expire: 60, fieldmap: { username: 'uid', email: 'mail' }, secret: MASK }
    assert.deepEqual(fields, { success: true, ...expected })
  })

  it('replaces the whole configuration, and keeps who made it and when', async () => {
    await configure(daemon, admin, { name: 'REP', expire: 60, token_name: 'x', inituser: '0' })
    const before = await content('REP')
    await ask(daemon, admin, 'update', { json: { name: 'REP' } })
    const { expire, token_name, inituser, enable, createdDate, creatorId } = await content('REP')
    assert.deepEqual([expire, token_name, inituser, enable], [86_400, 'token', '1', '0'])
    assert.deepEqual([createdDate, creatorId], [before.createdDate, before.creatorId])
  })

  it('keeps the stored secret where it is left out, empty or ************', async () => {
    await configure(daemon, admin, { name: 'KEEP' })
    for (const secret of [{}, { secret: MASK }, { secret: '' }]) {
      await ask(daemon, admin, 'update', { json: { name: 'KEEP', enable: '1', ...secret } })
      assert.ok(await accepts('KEEP', SECRET))
    }
    await ask(daemon, admin, 'update', { form: { name: 'KEEP', enable: '1', secret: MASK } })
    assert.ok(await accepts('KEEP', SECRET))
    await configure(daemon, admin, { name: 'KEEP', secret: `${SECRET}, another one` })
    assert.deepEqual(
      [await accepts('KEEP', SECRET), await accepts('KEEP', `${SECRET}, another one`)],
      [false, true],
    )
    assert.ok(!(await accepts('KEEP', MASK)), 'the mask is no secret')
  })

  it('takes the mask for no secret where none is stored', async () => {
    const { status } = await ask(daemon, admin, 'update', {
      json: { name: 'NONE', secret: MASK, enable: '1' },
    })
    assert.equal(status, 400)
  })

  const bad: Fields[] = [
    {},
    { name: '' },
    { name: 7 },
    { name: 'x'.repeat(65) },
    { name: 'B', algorithm: 'none' },
    { name: 'B', algorithm: 'PS256' },
    { name: 'B', expire: 0 },
    { name: 'B', expire: -1 },
    { name: 'B', expire: '1e3' },
    { name: 'B', expire: 4_294_967_296 },
    { name: 'B', enable: 'yes' },
    { name: 'B', enable: 2 },
    { name: 'B', initroles: 'root' },
    { name: 'B', initroles: 'constructor' },
    { name: 'B', fieldmap: [] },
    { name: 'B', fieldmap: { username: 'exp' } },
    { name: 'B', fieldmap: { username: 'a', name: 'a' } },
    { name: 'B', enable: '1' },
    { name: 'B', algorithm: 'RS256', self_service: '1' },
    { name: 'B', secret: { a: 1 } },
  ]
  for (const json of bad)
    it(`refuses ${JSON.stringify(json).slice(0, 60)} with 400 and stores nothing`, async () => {
      const { status, body } = await ask(daemon, admin, 'update', { json })
      assert.deepEqual([status, body.success, body.code], [400, false, '400'])
      assert.equal((await ask(daemon, admin, 'content?name=B')).status, 404)
    })

  for (const name of ['exp', 'nbf', 'iat', 'jti'])
    it(`refuses a configuration whose claim would be ${name}, named so or by default`, async () => {
      for (const fieldmap of [undefined, { username: name }, { username: 'u', email: name }]) {
        const { status } = await ask(daemon, admin, 'update', { json: { name, fieldmap } })
        assert.equal(status, 400, JSON.stringify(fieldmap))
      }
      const form = { name, privateKey: 'abcd', username: 'joe' }
      assert.equal((await ask(daemon, admin, 'generate', { form })).status, 400)
    })

  it('refuses another kind of algorithm without another secret', async () => {
    await configure(daemon, admin, { name: 'KIND' })
    const { status } = await ask(daemon, admin, 'update', { json: { name: 'KIND', algorithm: 'RS256' } })
    assert.equal(status, 400)
  })

  it('is for its own verb alone', async () => {
    const { status, headers } = await http(daemon, undefined, {
      method: 'GET',
      path: `${BASE}update`,
      token: admin,
    })
    assert.deepEqual([status, headers.allow], [405, 'POST'])
  })
})

it('GET list and GET content tell everything but the secret', async () => {
  await configure(daemon, admin, { name: 'SHOWN' })
  const { status, body } = await ask(daemon, admin, 'list')
  assert.deepEqual([status, body.success], [200, true])
  const all = body.data as Fields[]
  assert.ok(all.length > 1 && all.every(({ secret }) => secret === MASK))
  assert.ok(!JSON.stringify([all, await content('SHOWN')]).includes(SECRET))
  const shown = all.find(({ name }) => name === 'SHOWN')
  assert.deepEqual({ success: true, ...shown }, await content('SHOWN'))
  const rows = await call(daemon, 'jwt.list', {}, { token: admin })
  assert.deepEqual(rows.json.result, all)
  assert.deepEqual((await call(daemon, 'jwt.get', { name: 'SHOWN' }, { token: admin })).json.result, shown)
})
