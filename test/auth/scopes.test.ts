import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { allows, contains, isScope, LONGEST_SCOPE } from '../../src/auth/scopes.ts'
import { startDaemon } from '../support/daemon.ts'
import { holds } from '../support/property.ts'
import { call, http, mint, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })

const segment = fc.stringMatching(/^[\w/-]{1,4}$/)
/** Few of them, so that they often have to do with each other. */
const common = fc.constantFrom('a', 'b', 'A', 'ab', 'a_b', 'a-b', '0')
const name = fc
  .array(fc.oneof(common, segment), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('.'))
const scope = fc.oneof(
  fc.constant('*'),
  name,
  name.map((prefix) => `${prefix}.*`),
)
const scopes = fc.array(scope, { maxLength: 4 })

describe('scopes', () => {
  it('name a method, everything below a namespace, or everything', () => {
    const table: [scope: string, allowed: string[], refused: string[]][] = [
      ['*', ['a', 'a.b', 'A.b.c', 'rpc.discover'], []],
      ['a', ['a'], ['A', 'ab', 'a.b', 'b']],
      ['a.*', ['a.b', 'a.b.c', 'a.B'], ['a', 'ab', 'ab.c', 'A.b', 'b.a', 'a.', '.b']],
      ['a.b', ['a.b'], ['a', 'a.bc', 'a.b.c', 'a.B', 'a-b', 'axb']],
      ['a.b.*', ['a.b.c'], ['a.b', 'a.c', 'a.bc']],
    ]
    for (const [pattern, allowed, refused] of table) {
      for (const method of allowed) assert.ok(allows([pattern], method), `${pattern} ${method}`)
      for (const method of refused) assert.ok(!allows([pattern], method), `${pattern} ${method}`)
    }
    assert.ok(!allows([], 'a'))
  })

  it('are nothing else (pitfall 25)', () => {
    const odd = [
      '',
      '.',
      '..',
      '*.*',
      '**',
      '*.a',
      'a.*.b',
      'a*',
      'a.b*',
      'a..b',
      'a.',
      '.a',
      'a.**',
      'a.*.*',
      'a .b',
    ]
    const odder = [
      'a\n',
      '\na',
      'a.*\n',
      '.*',
      'a.[bc]',
      'a?',
      'a|b',
      '^a$',
      'ä',
      'ａ',
      'a\0',
      'a'.repeat(LONGEST_SCOPE + 1),
    ]
    for (const text of [...odd, ...odder]) assert.ok(!isScope(text), JSON.stringify(text))
    for (const value of [undefined, null, 1, {}, ['a'], { toString: () => 'a' }]) assert.ok(!isScope(value))
    for (const text of ['*', 'a', 'a.*', 'a.b', 'files/read', 'a-b.c_d', 'a'.repeat(LONGEST_SCOPE)])
      assert.ok(isScope(text))
  })

  it('contain themselves, everything is in "*", and nothing is in all', async () => {
    await holds(
      fc.property(scopes, (some) => {
        assert.ok(some.every(isScope))
        assert.ok(contains(some, some) && contains(['*'], some) && contains(some, []))
        assert.equal(contains([], some), some.length === 0)
      }),
      100,
    )
  })

  it('contain what those contain that they contain', async () => {
    await holds(
      fc.property(scopes, scopes, scopes, (a, b, c) => {
        fc.pre(contains(a, b) && contains(b, c))
        assert.ok(contains(a, c))
      }),
      100,
      { maxSkipsPerRun: 10_000 },
    )
  })

  it('allow every method that scopes within them allow, and no wider ones fit in', async () => {
    await holds(
      fc.property(scopes, scopes, name, (outer, inner, method) => {
        if (contains(outer, inner) && allows(inner, method)) assert.ok(allows(outer, method))
        if (allows(inner, method) && !allows(outer, method)) assert.ok(!contains(outer, inner))
        assert.equal(allows(outer, method), contains(outer, [method]))
      }),
      100,
    )
  })

  it('that differ in case alone have nothing in common', async () => {
    await holds(
      fc.property(name, (method) => {
        const other = method.toUpperCase()
        fc.pre(other !== method)
        assert.ok(!allows([other, `${other}.*`], method) && !contains([other], [method]))
      }),
      100,
    )
  })
})

describe('a token', () => {
  const narrow = (...list: string[]) => mint(daemon, { ttl: 600, scopes: list })

  it('may call what its scopes name, and is told what it may not', async () => {
    const token = await narrow('token.get')
    assert.equal((await call(daemon, 'token.get', {}, { token })).status, 200)
    for (const method of ['Auth.WhoAmI', 'token.create', 'rpc.discover', 'system.info']) {
      const { status, headers, json } = await call(daemon, method, {}, { token })
      assert.deepEqual([status, json.error?.code], [403, -32003], method)
      assert.equal(headers['www-authenticate'], 'Bearer realm="postern", error="insufficient_scope"')
      assert.match(json.error?.data ?? '', new RegExp(`scopes of this token do not name ${method}`))
    }
  })

  it('is judged by the letters of its scopes on /api/', async () => {
    const token = await narrow('TOKEN.GET', 'auth.*')
    for (const method of ['token.get', 'Auth.WhoAmI'])
      assert.equal((await call(daemon, method, {}, { token })).status, 403)
  })

  it('is judged for each element of a batch, and each message of a WebSocket', async (t) => {
    const token = await narrow('token.get', 'token.create')
    const methods = ['token.get', 'Auth.WhoAmI', 'token.create', 'token.delete']
    const params = { name: 'child' }
    const calls = methods.map((method, id) => ({
      jsonrpc: '2.0',
      id,
      method,
      params: id === 2 ? params : {},
    }))
    const { json } = await http(daemon, JSON.stringify(calls), { token })
    const codes = (json as unknown as { error?: { code: number } }[]).map(({ error }) => error?.code)
    assert.deepEqual(codes, [undefined, -32003, undefined, -32003])
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    assert.equal((await ws.call('token.get', {})).error, undefined)
    assert.equal((await ws.call('Auth.WhoAmI')).error?.code, -32003)
    assert.equal((await ws.call('Auth.WhoAmI', { Token: await mint(daemon) })).error, undefined)
  })

  it('is judged on the Zabbix path too, in its words, whatever the case of the name', async () => {
    const token = await narrow('token.get')
    const path = '/api_jsonrpc.php'
    for (const method of ['token.get', 'Token.GET'])
      assert.equal((await call(daemon, method, {}, { token, path })).json.error, undefined)
    const { status, json } = await call(daemon, 'Token.Delete', [], { token, path })
    const data = 'No permissions to call "Token.Delete".'
    assert.deepEqual([status, json.error], [200, { code: -32500, message: 'Application error.', data }])
  })

  it('without scopes may call nothing', async () => {
    const token = await narrow()
    for (const method of ['Auth.WhoAmI', 'token.get'])
      assert.equal((await call(daemon, method, {}, { token })).status, 403)
  })
})
