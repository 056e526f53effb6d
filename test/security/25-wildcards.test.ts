import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { allows, contains, isScope } from '../../src/auth/scopes.ts'
import { startDaemon } from '../support/daemon.ts'
import { make, ok, statusOf } from '../support/lives.ts'
import { call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)

/** Nothing of this is a pattern. */
const NO_SCOPES: readonly unknown[] = [
  '',
  '.',
  '..',
  '.*',
  '*.',
  '**',
  '*.*',
  '*.get',
  'token.',
  '.get',
  'token..get',
  'token..*',
  'token.*.get',
  'token.**',
  'token.g*',
  'tok*',
  'token.*.*',
  'token.?et',
  'token.[g]et',
  'token.(get|set)',
  'token.+',
  '^token.get$',
  '../token.get',
  'token/../*',
  'token.get ',
  ' token.get',
  'token.get\n',
  'token.get\0',
  'token,user',
  'tökén.get',
  'token．get',
  'a'.repeat(129),
  null,
  1,
  ['*'],
  { '*': true },
]

/** Names that look like patterns, or like names beside them. */
const NO_METHODS = [
  '*',
  '.*',
  'token.*',
  'token',
  'token.',
  '.get',
  'token..get',
  'token...get',
  'token.get.',
  '.token.get',
  'token.get.*',
  'Token.Get',
  'TOKEN.GET',
  'token.get ',
  ' token.get',
  'token/get',
  'token.g%65t',
  'token.get\0',
  'token.get\n',
  '../token.get',
  'token.../get',
  'tоken.get', // with a Cyrillic o
]

describe('pitfall 25: wildcards surprise nobody', () => {
  it('what is no pattern is refused wherever scopes are given', async () => {
    const { tokenid } = await make(daemon, admin)
    for (const scope of NO_SCOPES) {
      if (scope !== 'token/../*') assert.ok(!isScope(scope), JSON.stringify(scope))
      for (const scopes of [[scope], ['token.get', scope]]) {
        const said = JSON.stringify(scope)
        assert.equal((await call(daemon, 'Auth.CreateApiToken', { ttl: 60, scopes })).status, 400, said)
        assert.equal(await statusOf(daemon, 'token.create', { name: 'x', scopes }, admin), 400, said)
        assert.equal(await statusOf(daemon, 'token.update', { tokenid, scopes }, admin), 400, said)
      }
    }
    for (const scopes of ['*', { 0: '*' }, 1])
      assert.equal((await call(daemon, 'Auth.CreateApiToken', { ttl: 60, scopes })).status, 400)
  })

  for (const scopes of [['*'], ['token.*'], ['token.get'], []])
    it(`a name that looks like a pattern is no method, whatever the scopes: ${JSON.stringify(scopes)}`, async () => {
      const token = await mint(daemon, { ttl: 60, scopes })
      for (const method of NO_METHODS) {
        const { json, status } = await call(daemon, method, {}, { token })
        assert.equal(json.result, undefined, JSON.stringify(method))
        assert.equal(status, 400, JSON.stringify(method))
        if (method === '') continue
        const explained = await ok<{ rule: string }>(daemon, 'token.explain', { token, method }, admin)
        assert.equal(explained.rule, 'method', JSON.stringify(method))
      }
    })

  it('on the Zabbix path, where case and a third part do not matter, the scope of the method itself decides', async () => {
    const get = await mint(daemon, { ttl: 60, scopes: ['token.get'] })
    const other = await mint(daemon, {
      ttl: 60,
      scopes: ['Auth.*', 'TOKEN.GET', 'token.get.more', 'token.g'],
    })
    for (const method of ['token.get', 'Token.Get', 'TOKEN.GET', 'token.get.more']) {
      const ask = async (token: string) =>
        (await call(daemon, method, {}, { token, path: '/api_jsonrpc.php' })).json.error?.code
      assert.deepEqual([await ask(get), await ask(other)], [undefined, -32500], method)
    }
    for (const method of ['*', 'token.*', 'token', 'token..get', '.get', 'token.']) {
      const { json } = await call(daemon, method, {}, { token: admin, path: '/api_jsonrpc.php' })
      assert.equal(json.error?.code, -32601, method)
    }
  })

  it('a star stands for one segment or more, never for none and never for a part of one', () => {
    const cases: [scope: string, method: string, allowed: boolean][] = [
      ['*', 'anything.at.all', true],
      ['a.*', 'a.b', true],
      ['a.*', 'a.b.c', true],
      ['a.*', 'a', false],
      ['a.*', 'a.', false],
      ['a.*', 'ab', false],
      ['a.*', 'ab.c', false],
      ['a.*', 'b.a.c', false],
      ['a.*', 'A.b', false],
      ['a.b', 'a.b', true],
      ['a.b', 'a.b.c', false],
      ['a.b', 'axb', false],
      ['a.b.*', 'a.bc', false],
    ]
    for (const [scope, method, allowed] of cases)
      assert.equal(allows([scope], method), allowed, `${scope} and ${method}`)
  })

  it('no set of narrow patterns adds up to a wide one', () => {
    assert.ok(!contains(['a.*', 'b.*'], ['*']))
    assert.ok(!contains(['a.b.*', 'a.c'], ['a.*']))
    assert.ok(!contains(['a.*'], ['a']))
    assert.ok(!contains([], ['a']))
    assert.ok(contains(['a.*'], ['a.b.*', 'a.c', 'a.b.c.d']))
    assert.ok(contains([], []))
  })

  it('a token without scopes may do nothing', async () => {
    const token = await mint(daemon, { ttl: 60, scopes: [] })
    for (const method of ['Auth.WhoAmI', 'Auth.RevokeApiToken', 'token.get', 'rpc.discover'])
      assert.equal(await statusOf(daemon, method, {}, token), 403)
  })
})
