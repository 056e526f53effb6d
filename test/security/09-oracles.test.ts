import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon, until } from '../support/daemon.ts'
import {
  configure,
  fetched,
  hmacJwt,
  inSeconds,
  PATIENT,
  type Page,
  SECRET,
  userWithToken,
  whose,
} from '../support/datafor.ts'
import { accepted, call, http, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: PATIENT })
const admin = await mint(daemon)
await configure(daemon, admin, { name: 'ERP', inituser: '0' })
await configure(daemon, admin, { name: 'OFF', enable: '0' })
const { userid, token: ofDisabled } = await userWithToken(daemon, admin, 'disabled')
await call(daemon, 'user.update', { userid, status: 1 }, { token: admin })
const jwt = (claims: object, secret = SECRET) => hmacJwt(secret, { exp: inSeconds(600), ...claims })

/** A token that was good until something happened to it. */
async function ended(
  end: (tokenid: string, token: string) => Promise<unknown>,
  params: object = {},
): Promise<string> {
  const token = await mint(daemon, { ttl: 600, ...params })
  const { json } = await call(daemon, 'token.get', { token }, { token: admin })
  const [{ tokenid }] = json.result as [{ tokenid: string }]
  await end(tokenid, token)
  return token
}
const asAdmin = (method: string, params: unknown) => call(daemon, method, params, { token: admin })
const expired = await mint(daemon, { ttl: 1 })
await until('an expired token', async () => !(await accepted(daemon, expired)))

const BAD: Record<string, string> = {
  unknown: `pst_${'A'.repeat(49)}`,
  'unknown, with a right checksum': await ended((id) => asAdmin('token.delete', [id])),
  expired,
  revoked: await ended((_, token) => call(daemon, 'Auth.RevokeApiToken', {}, { token })),
  disabled: await ended((id) => asAdmin('token.update', { tokenid: id, status: 1 })),
  'of a disabled user': ofDisabled,
  'used up': await ended((_, token) => accepted(daemon, token), { max_uses: 1 }),
  'not valid yet': await mint(daemon, { ttl: 6000, not_before: inSeconds(3000) }),
  'from a wrong address': await mint(daemon, { ttl: 600, allowed_ips: ['192.0.2.1'] }),
  replaced: await ended((id) => asAdmin('token.generate', [id])),
  malformed: 'x',
  'of 64 hexadecimal digits': 'a'.repeat(64),
  'two words': `${admin} ${admin}`,
  'a JWT with a wrong signature': jwt({ ERP: 'Admin' }, 'wrong'),
  'a JWT that has expired': jwt({ ERP: 'Admin', exp: inSeconds(-1) }),
  'a JWT without an end': hmacJwt(SECRET, { ERP: 'Admin' }),
  'a JWT of somebody unknown': jwt({ ERP: 'stranger' }),
  'a JWT of a disabled user': jwt({ ERP: 'disabled' }),
  'a JWT of a configuration that is off': jwt({ OFF: 'Admin' }),
  'a JWT of no configuration': jwt({ NONE: 'Admin' }),
  'a JWT for later': jwt({ ERP: 'Admin', nbf: inSeconds(300) }),
  'a JWT without an algorithm': hmacJwt(SECRET, { ERP: 'Admin', exp: inSeconds(60) }, { alg: 'none' }),
}

/** Everything of an answer but the time of day. */
function seen({ status, headers: { date: _, ...headers }, body }: Page) {
  return { status, headers, body }
}

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
}

const ROUTES: Record<string, (token: string, door: 'unix' | 'tcp') => Promise<unknown>> = {
  'POST /api/': async (token, door) => seen(await call(daemon, 'Auth.WhoAmI', {}, { token, door })),
  'POST /api/ with Token': async (token, door) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI', params: { Token: token } })
    return seen(await http(daemon, body, { door }))
  },
  'GET /auth': async (token, door) => seen(await fetched(daemon, '/auth', { token, door })),
  'a WebSocket upgrade': async (token, door) =>
    seen(await fetched(daemon, '/api/', { token, door, headers: UPGRADE })),
  'GET /metrics': async (token, door) => seen(await fetched(daemon, '/metrics', { token, door })),
  'POST /oauth2/introspect': async (token, door) =>
    seen(await http(daemon, JSON.stringify({ token: 'x' }), { path: '/oauth2/introspect', token, door })),
  'Datafor’s list': async (token, door) =>
    seen(
      await http(daemon, undefined, {
        method: 'GET',
        path: '/plugin/datafor-modeler/api/token/list',
        token,
        door,
      }),
    ),
}

describe('pitfall 9: whatever is wrong with a token, the answer is the same to the letter', () => {
  for (const [route, send] of Object.entries(ROUTES))
    for (const door of ['unix', 'tcp'] as const)
      it(`${route}, on ${door}`, async () => {
        const expected = (await send(BAD.unknown as string, door)) as { status: number }
        assert.equal(expected.status, 401)
        for (const [what, token] of Object.entries(BAD))
          assert.deepEqual(await send(token, door), expected, what)
      })

  it('introspection: every one of them is exactly {"active":false}', async () => {
    for (const [what, token] of Object.entries(BAD)) {
      if (what === 'from a wrong address') continue // it is active, elsewhere
      const { body } = await http(daemon, JSON.stringify({ token }), {
        path: '/oauth2/introspect',
        token: admin,
      })
      assert.equal(body, '{"active":false}', what)
    }
  })

  it('Auth.RevokeApiToken: what cannot be revoked is answered alike', async () => {
    const { token: joe } = await userWithToken(daemon, admin, 'joe')
    const ask = async (params: object) =>
      seen(await call(daemon, 'Auth.RevokeApiToken', params, { token: joe }))
    const expected = await ask({ tokenid: '1' })
    assert.deepEqual(await ask({ tokenid: '99999' }), expected)
    for (const [what, token] of Object.entries(BAD)) {
      if (what === 'from a wrong address' || what === 'used up' || what === 'not valid yet') continue
      assert.deepEqual(await ask({ token }), expected, what)
    }
  })
})

describe('the Zabbix dialect is the exception: its clients rely on being told', () => {
  const zabbix = async (token: string) => {
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'token.get', params: {}, id: 1 })
    const { status, json } = await http(daemon, body, { path: '/api_jsonrpc.php', token })
    return [status, json.error]
  }
  const error = (code: number, message: string, data: string) => [200, { code, message, data }]

  it('an expired token is called so; every other one of ours is not authorized', async () => {
    assert.deepEqual(await zabbix(expired), error(-32500, 'Application error.', 'API token expired.'))
    for (const what of ['unknown, with a right checksum', 'revoked', 'disabled', 'used up', 'replaced'])
      assert.deepEqual(
        await zabbix(BAD[what] as string),
        error(-32602, 'Invalid params.', 'Not authorized.'),
        what,
      )
  })

  it('a JWT, whatever is wrong with it, is a session that is over', async () => {
    for (const [what, token] of Object.entries(BAD).filter(([what]) => what.startsWith('a JWT')))
      assert.deepEqual(
        await zabbix(token),
        error(-32602, 'Invalid params.', 'Session terminated, re-login, please.'),
        what,
      )
    assert.equal(await whose(daemon, jwt({ ERP: 'Admin' })), 'Admin')
  })
})
