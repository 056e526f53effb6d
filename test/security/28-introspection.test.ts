import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import * as oauth from 'oauth4webapi'
import { startDaemon } from '../support/daemon.ts'
import {
  configure,
  type Fields,
  fetched,
  hmacJwt,
  inSeconds,
  PATIENT,
  SECRET,
  userWithToken,
  whose,
} from '../support/datafor.ts'
import { accepted, call, http, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: PATIENT })
const admin = await mint(daemon)
const joe = await userWithToken(daemon, admin, 'joe')
const service = await userWithToken(daemon, admin, 'service', 'admin')
const PATH = '/oauth2/introspect'
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const INACTIVE = { active: false }

async function introspect(token: string, caller: string | undefined, path = PATH) {
  const body = new URLSearchParams({ token }).toString()
  const answer = await http(daemon, body, {
    path,
    headers: FORM,
    ...(caller !== undefined && { token: caller }),
  })
  return { status: answer.status, headers: answer.headers, body: answer.json as unknown as Fields }
}
const told = async (token: string, caller: string) => (await introspect(token, caller)).body

describe('pitfall 28: introspection is no oracle', () => {
  it('no token, or a wrong one: 401', async () => {
    for (const caller of [undefined, 'wrong', hmacJwt('wrong', { ERP: 'Admin', exp: inSeconds(60) })])
      for (const path of [PATH, '/oauth2/revoke']) {
        const { status, headers, body } = await introspect(admin, caller, path)
        assert.deepEqual([status, body.error, 'active' in body], [401, 'invalid_client', false])
        assert.match(headers['www-authenticate'] ?? '', /^Bearer /)
      }
  })

  it('a local operator needs a token as well', async () => {
    const { status } = await http(daemon, `token=${admin}`, { door: 'unix', path: PATH, headers: FORM })
    assert.equal(status, 401)
  })

  it('a plain user’s token is told about itself alone; not even about their other tokens', async () => {
    const other = await mint(daemon, { ttl: 0, username: 'joe' })
    assert.equal((await told(joe.token, joe.token)).active, true)
    for (const token of [admin, service.token, other, 'x'])
      assert.deepEqual(await told(token, joe.token), INACTIVE)
    const { json } = await call(daemon, 'token.introspect', { token: admin }, { token: joe.token })
    assert.deepEqual(json.result, INACTIVE)
  })

  it('an admin and a superadmin are told about any', async () => {
    for (const caller of [admin, service.token])
      for (const token of [admin, joe.token, service.token])
        assert.equal((await told(token, caller)).active, true)
  })

  it('a token whose scopes do not name it is refused with 403', async () => {
    const narrow = await mint(daemon, { ttl: 0, scopes: ['user.*', 'token.get'] })
    const { status, body } = await introspect(admin, narrow)
    assert.deepEqual([status, body.error, 'active' in body], [403, 'insufficient_scope', false])
    const wide = await mint(daemon, { ttl: 0, scopes: ['token.introspect'] })
    assert.equal((await told(admin, wide)).active, true)
  })

  it('what is not active is {"active":false}, and nothing else', async () => {
    const revoked = await mint(daemon)
    await call(daemon, 'Auth.RevokeApiToken', {}, { token: revoked })
    for (const token of [revoked, 'x', `pst_${'A'.repeat(49)}`, 'a.b.c']) {
      const body = new URLSearchParams({ token }).toString()
      const answer = await http(daemon, body, { path: PATH, headers: FORM, token: admin })
      assert.deepEqual([answer.status, answer.body], [200, '{"active":false}'])
    }
  })

  it('does not use the token that it is about', async () => {
    const once = await mint(daemon, { ttl: 600, max_uses: 1 })
    for (let time = 0; time < 3; time++) assert.equal((await told(once, admin)).active, true)
    const { json } = await call(daemon, 'token.get', { token: once }, { token: admin })
    assert.equal((json.result as Fields[])[0]?.lastaccess ?? '0', '0')
    assert.deepEqual([await accepted(daemon, once), await accepted(daemon, once)], [true, false])
    assert.deepEqual(await told(once, admin), INACTIVE)
  })

  it('refuses ?token=, GET, an empty form, and a field that is there twice', async () => {
    const query = await http(daemon, 'token=x', {
      path: `${PATH}?token=${joe.token}`,
      headers: FORM,
      token: admin,
    })
    assert.deepEqual([query.status, query.body.includes(joe.token)], [400, false])
    assert.equal((await fetched(daemon, PATH, { token: admin })).status, 405)
    assert.equal((await fetched(daemon, `${PATH}?token=${joe.token}`, { token: admin })).status, 400)
    for (const body of ['', 'token=', 'token=a&token=b', 'token_type_hint=x'])
      assert.equal((await http(daemon, body, { path: PATH, headers: FORM, token: admin })).status, 400, body)
  })
})

describe('JWTs are introspected as other tokens are', () => {
  it('tells whose it is and when it ends; not once it is not accepted any more', async () => {
    await configure(daemon, admin, { name: 'ERP' })
    const exp = inSeconds(600)
    const jwt = hmacJwt(SECRET, { ERP: 'joe', exp })
    const { active, username, sub, scope, token_type, exp: end } = await told(jwt, admin)
    assert.deepEqual(
      [active, username, sub, scope, token_type, end],
      [true, 'joe', joe.userid, '*', 'Bearer', exp],
    )
    assert.equal((await told(jwt, jwt)).active, true)
    assert.deepEqual(await told(jwt, joe.token), INACTIVE)
    await configure(daemon, admin, { name: 'ERP', enable: '0' })
    assert.deepEqual(await told(jwt, admin), INACTIVE)
  })

  it('a JWT is not told about another one, however their names and ids are put together', async () => {
    await configure(daemon, admin, { name: 'IDS' })
    const one = hmacJwt(SECRET, { IDS: 'b', jti: 'c', exp: inSeconds(60) })
    const other = hmacJwt(SECRET, { IDS: 'b:c', exp: inSeconds(60) })
    assert.deepEqual([await whose(daemon, one), await whose(daemon, other)], ['b', 'b:c'])
    assert.deepEqual(await told(other, one), INACTIVE)
  })

  it('to be asked about is no sign-in: nobody becomes a user by it', async () => {
    await configure(daemon, admin, { name: 'NEW' })
    await told(hmacJwt(SECRET, { NEW: 'asked-about', exp: inSeconds(60) }), joe.token)
    const { json } = await call(daemon, 'user.get', { filter: { username: 'asked-about' } }, { token: admin })
    assert.deepEqual(json.result, [])
  })
})

describe('oauth4webapi, a client of npm', () => {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const issuer = new URL(`http://127.0.0.1:${daemon.port}`)
  const client: oauth.Client = { client_id: 'a-service' }
  const discover = async () => {
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
    return oauth.processDiscoveryResponse(issuer, response)
  }

  it('finds the endpoints by RFC 8414', async () => {
    const { issuer: named, introspection_endpoint, revocation_endpoint } = await discover()
    assert.deepEqual(
      [named, introspection_endpoint, revocation_endpoint],
      [issuer.origin, `${issuer.origin}/oauth2/introspect`, `${issuer.origin}/oauth2/revoke`],
    )
  })

  it('introspects by RFC 7662 and revokes by RFC 7009, its token as the client’s secret', async () => {
    const server = await discover()
    const auth = oauth.ClientSecretBasic(service.token)
    const ask = async (token: string) =>
      oauth.processIntrospectionResponse(
        server,
        client,
        await oauth.introspectionRequest(server, client, auth, token, insecure),
      )
    const token = await mint(daemon, { ttl: 600, username: 'joe', scopes: ['user.get', 'audit.*'] })
    const { active, scope, username, sub, exp, iat } = await ask(token)
    assert.deepEqual([active, scope, username, sub], [true, 'user.get audit.*', 'joe', joe.userid])
    assert.equal(Number(exp) - Number(iat), 600)
    for (let time = 0; time < 2; time++)
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(server, client, auth, token, insecure),
      )
    assert.deepEqual([await ask(token), await accepted(daemon, token)], [INACTIVE, false])
  })

  it('is refused with a wrong secret', async () => {
    const server = await discover()
    const response = await oauth.introspectionRequest(
      server,
      client,
      oauth.ClientSecretBasic('no'),
      admin,
      insecure,
    )
    assert.equal(response.status, 401)
    await assert.rejects(oauth.processIntrospectionResponse(server, client, response))
  })
})
