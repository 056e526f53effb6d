import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import {
  ask,
  BASE,
  configure,
  EXAMPLE_TIME,
  hmacJwt,
  inSeconds,
  machine,
  PATIENT,
  SECRET,
  userWithToken,
  whose,
} from '../support/datafor.ts'
import { call, http, mint, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: PATIENT })
const admin = await mint(daemon)
const user = await userWithToken(daemon, admin, 'user')
const middle = await userWithToken(daemon, admin, 'middle', 'admin')
await configure(daemon, admin, { name: 'SELF', self_service: '1' })

type Question = Parameters<typeof ask>[3]
/** Each call, well worded; the second list is for any user. */
const ADMINISTRATION: [string, Question][] = [
  ['generate', { form: { name: 'ERP', privateKey: 'abcd', username: 'user' } }],
  ['update', { json: { name: 'REFUSED', secret: SECRET } }],
  ['list', {}],
  ['content?name=SELF', {}],
  ['delete', { form: { name: 'SELF' } }],
  ['deleteBatch', { json: ['SELF'] }],
]
const PERSONAL: [string, Question][] = [
  ['personal/config', {}],
  ['personal', { json: {} }],
  ['personal/list', {}],
  ['personal/revoke', { json: { jti: 'x' } }],
]
const FORBIDDEN = { success: false, code: '403', msg: 'no permission' }

describe('refusals have Datafor’s words, and the HTTP status has the number of the code', () => {
  for (const [path, question] of [...ADMINISTRATION, ...PERSONAL])
    it(`${path}: 401 without a token, with a wrong one, and for a local operator without one`, async () => {
      const expected = { status: 401, body: { success: false, code: '401', msg: 'not logged in' } }
      assert.deepEqual(await ask(daemon, undefined, path, question), expected)
      assert.deepEqual(await ask(daemon, 'wrong', path, question), expected)
      assert.deepEqual(await ask(daemon, undefined, path, { ...question, door: 'unix' }), expected)
    })

  for (const [path, question] of ADMINISTRATION)
    it(`${path}: 403 for a user and for an admin`, async () => {
      for (const { token } of [user, middle])
        assert.deepEqual(await ask(daemon, token, path, question), { status: 403, body: FORBIDDEN })
    })

  const bounds = {
    scopes: ['jwt.*', 'Auth.*'],
    max_uses: 1000,
    idle_ttl: 1000,
    allowed_ips: ['127.0.0.1', '::1', 'unix'],
    rate_limit: { per_second: 1000 },
    not_before: 1,
  }
  for (const [bound, value] of Object.entries(bounds))
    it(`every call is refused with 403 for a superadmin’s token with ${bound}`, async () => {
      const bounded = await mint(daemon, { ttl: 0, [bound]: value })
      for (const [path, question] of [...ADMINISTRATION, ...PERSONAL])
        assert.deepEqual(await ask(daemon, bounded, path, question), { status: 403, body: FORBIDDEN }, path)
    })

  it('the rows refuse whom the paths refuse', async () => {
    const bounded = await mint(daemon, { ttl: 0, max_uses: 1000 })
    const rows: [string, object][] = [
      ['jwt.configure', { name: 'REFUSED', secret: SECRET }],
      ['jwt.list', {}],
      ['jwt.get', { name: 'SELF' }],
      ['jwt.delete', { names: ['SELF'] }],
      ['jwt.issue', { name: 'ERP', privateKey: 'abcd', username: 'user' }],
    ]
    for (const [method, params] of rows)
      for (const token of [user.token, middle.token, bounded])
        assert.equal((await call(daemon, method, params, { token })).json.error?.code, -32003, method)
    for (const method of ['config', 'issue', 'list', 'revoke'])
      assert.equal(
        (
          await call(daemon, `jwt.personal.${method}`, method === 'revoke' ? { jti: 'x' } : {}, {
            token: bounded,
          })
        ).json.error?.code,
        -32003,
      )
  })

  it('nothing that was refused has happened', async () => {
    assert.equal((await ask(daemon, admin, 'content?name=REFUSED')).status, 404)
    assert.equal((await ask(daemon, admin, 'content?name=SELF')).status, 200)
  })

  it('404 for what is not there', async () => {
    const expected = { status: 404, body: { success: false, code: '404', msg: 'not found' } }
    assert.deepEqual(await ask(daemon, admin, 'content?name=NOT'), expected)
    assert.deepEqual(await ask(daemon, admin, 'delete', { form: { name: 'NOT' } }), expected)
    assert.deepEqual(await ask(daemon, admin, 'deleteBatch', { json: ['SELF', 'NOT'] }), expected)
    assert.equal((await ask(daemon, admin, 'content?name=SELF')).status, 200, 'all of a batch, or nothing')
    assert.deepEqual(await ask(daemon, user.token, 'personal/revoke', { json: { jti: 'x' } }), expected)
  })

  it('400 for what cannot be read', async () => {
    const bodies: [string, string, string][] = [
      ['delete', '', 'application/x-www-form-urlencoded'],
      ['delete', 'name=a&name=b', 'application/x-www-form-urlencoded'],
      ['delete', '{"name":', 'application/json'],
      ['delete', '["SELF"]', 'application/json'],
      ['delete', 'name=SELF', 'text/plain'],
      ['deleteBatch', '"SELF"', 'application/json'],
      ['deleteBatch', '{}', 'application/json'],
      ['deleteBatch', '[["SELF"]]', 'application/json'],
      ['deleteBatch', JSON.stringify(Array(101).fill('SELF')), 'application/json'],
      ['personal', '{"label":7}', 'application/json'],
      ['personal', `{"label":"${'x'.repeat(65)}"}`, 'application/json'],
      ['personal', 'expire=soon', 'application/x-www-form-urlencoded'],
      ['personal/revoke', '{}', 'application/json'],
    ]
    for (const [path, body, type] of bodies) {
      const { status, json } = await http(daemon, body, {
        path: BASE + path,
        token: admin,
        headers: { 'Content-Type': type },
      })
      const { success, code } = json as unknown as { success: boolean; code: string }
      assert.deepEqual([status, success, code], [400, false, '400'], `${path} ${body.slice(0, 40)}`)
    }
    assert.equal((await ask(daemon, admin, 'content?name=SELF')).status, 200)
  })

  it('a token in the URL is refused', async () => {
    const { status, body } = await http(daemon, undefined, {
      method: 'GET',
      path: `${BASE}list?token=${admin}`,
    })
    assert.equal(status, 400)
    assert.ok(!body.includes(admin))
  })
})

describe('POST delete, deleteBatch, and a configuration that is switched off or changed', () => {
  const signed = (name: string) => hmacJwt(SECRET, { [name]: 'user', exp: inSeconds(600) })
  const ends: [string, (name: string) => Promise<unknown>][] = [
    ['POST delete (form)', (name) => ask(daemon, admin, 'delete', { form: { name } })],
    ['POST delete (JSON)', (name) => ask(daemon, admin, 'delete', { json: { name } })],
    ['POST deleteBatch', (name) => ask(daemon, admin, 'deleteBatch', { json: [name, name] })],
    ['jwt.delete', (name) => call(daemon, 'jwt.delete', { names: [name] }, { token: admin })],
    ['POST update with enable 0', (name) => ask(daemon, admin, 'update', { json: { name, enable: '0' } })],
    ['POST update with another secret', (name) => configure(daemon, admin, { name, secret: `${SECRET}!` })],
    ['POST update with another algorithm', (name) => configure(daemon, admin, { name, algorithm: 'HS512' })],
    [
      'POST update with another claim',
      (name) => configure(daemon, admin, { name, fieldmap: { username: 'x' } }),
    ],
  ]
  for (const [at, [what, end]] of ends.entries())
    it(`${what} ends its tokens at once, and closes their WebSockets with 4401; others live on`, async (t) => {
      const name = `END${at}`
      await configure(daemon, admin, { name })
      await configure(daemon, admin, { name: 'STAYS' })
      const [token, other] = [signed(name), signed('STAYS')]
      assert.deepEqual([await whose(daemon, token), await whose(daemon, other)], ['user', 'user'])
      const doomed = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
      const idle = await webSocket(t, daemon, { door: 'tcp', headers: { Authorization: `Bearer ${token}` } })
      const stays = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${other}` } })
      assert.equal((await doomed.call('Auth.WhoAmI')).error, undefined)
      await end(name)
      assert.equal(await whose(daemon, token), undefined)
      assert.deepEqual([(await doomed.closed).code, (await idle.closed).code], [4401, 4401])
      assert.equal((await stays.call('Auth.WhoAmI')).error, undefined)
      assert.equal(await whose(daemon, other), 'user')
    })

  it('an idle WebSocket of a JWT is closed with 4401 when its exp comes', async (t) => {
    const { daemon: on, pass } = await machine(t)
    const owner = await mint(on)
    await userWithToken(on, owner, 'user')
    await configure(on, owner, { name: 'STAYS' })
    const token = hmacJwt(SECRET, { STAYS: 'user', exp: EXAMPLE_TIME / 1000 + 2 })
    const { closed } = await webSocket(t, on, { headers: { Authorization: `Bearer ${token}` } })
    pass(2_000)
    assert.equal((await closed).code, 4401)
  })

  it('a configuration made anew under the name of a deleted one does not take up its secret', async () => {
    await configure(daemon, admin, { name: 'ANEW' })
    assert.deepEqual((await ask(daemon, admin, 'delete', { form: { name: 'ANEW' } })).body, { success: true })
    const { status } = await ask(daemon, admin, 'update', { json: { name: 'ANEW', enable: '1' } })
    assert.equal(status, 400)
  })
})
