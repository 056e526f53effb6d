import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import {
  ask,
  configure,
  encoded,
  hmacJwt,
  inSeconds,
  keyJwt,
  PATIENT,
  publicPem,
  SECRET,
  userWithToken,
  whose,
} from '../support/datafor.ts'
import { call, http, mint, UpgradeRefused, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: PATIENT })
const admin = await mint(daemon)
await userWithToken(daemon, admin, 'joe')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const own = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = publicPem(rsa.publicKey)
const der = rsa.publicKey.export({ type: 'spki', format: 'der' })
await configure(daemon, admin, { name: 'HS' })
await configure(daemon, admin, { name: 'RS', algorithm: 'RS256', secret: pem })
const ecPem = publicPem(ec.publicKey)
await configure(daemon, admin, { name: 'ES', algorithm: 'ES256', secret: ecPem })

const claims = (more: object = {}) => ({ HS: 'joe', RS: 'joe', ES: 'joe', exp: inSeconds(600), ...more })
const good = hmacJwt(SECRET, claims())
const [goodHead = '', goodBody = '', goodSignature = ''] = good.split('.')
const sign = (header: unknown, payload: unknown = claims()) => hmacJwt(SECRET, payload, header)
const jwk = rsa.publicKey.export({ format: 'jwk' })
const ownJwk = own.publicKey.export({ format: 'jwk' })
const octet = { kty: 'oct', k: Buffer.from('mine').toString('base64url') }
const HS = { typ: 'JWT', alg: 'HS256' }
const nested = `${'['.repeat(1000)}${']'.repeat(1000)}`
const body = () => encoded(claims())

const FORGED: Record<string, () => string> = {
  'alg none with an empty signature': () => `${encoded({ alg: 'none' })}.${body()}.`,
  'alg none without the last dot': () => `${encoded({ alg: 'none' })}.${body()}`,
  'alg none with a signature': () => sign({ alg: 'none' }),
  'alg None': () => sign({ alg: 'None' }),
  'alg NONE': () => sign({ alg: 'NONE' }),
  'alg nOnE with an empty signature': () => `${encoded({ alg: 'nOnE' })}.${body()}.`,
  'alg hs256': () => sign({ alg: 'hs256' }),
  'alg as a list': () => sign({ alg: ['HS256'] }),
  'no alg': () => sign({ typ: 'JWT' }),
  'HS384 against HS256': () => hmacJwt(SECRET, claims(), { alg: 'HS384' }, 'sha384'),
  'HS512 that is called HS256': () => hmacJwt(SECRET, claims(), HS, 'sha512'),
  'the public key’s PEM as a shared secret': () => hmacJwt(pem, claims()),
  'the public key’s PEM without its last line end': () => hmacJwt(pem.trim(), claims()),
  'the public key’s DER as a shared secret': () => hmacJwt(der, claims()),
  'the public key’s Base64 body as a shared secret': () => hmacJwt(der.toString('base64'), claims()),
  'the PEM as a shared secret, called RS256': () => hmacJwt(pem, claims(), { alg: 'RS256' }),
  'PS256 with the right key': () => keyJwt(rsa.privateKey, 'PS256', claims()),
  'RS512 with the right key': () => keyJwt(rsa.privateKey, 'RS512', claims()),
  'a jwk of one’s own': () => keyJwt(own.privateKey, 'RS256', claims(), { jwk: ownJwk }),
  'a shared jwk of one’s own': () => hmacJwt('mine', claims(), { ...HS, jwk: octet }),
  'the true jwk, and another’s signature': () => keyJwt(own.privateKey, 'RS256', claims(), { jwk }),
  'a jku': () => keyJwt(own.privateKey, 'RS256', claims(), { jku: 'http://127.0.0.1:1/jwks', kid: 'x' }),
  'an x5u': () => keyJwt(own.privateKey, 'RS256', claims(), { x5u: 'http://127.0.0.1:1/x' }),
  'an x5c': () => keyJwt(own.privateKey, 'RS256', claims(), { x5c: [der.toString('base64')] }),
  'a kid that leads to an empty file': () => hmacJwt('', claims(), { ...HS, kid: '../../../../dev/null' }),
  'a kid that is a configuration’s name': () => hmacJwt('', claims(), { ...HS, kid: 'HS' }),
  'an empty secret': () => hmacJwt('', claims()),
  'the mask as the secret': () => hmacJwt('************', claims()),
  'a crit that nobody understands': () => sign({ ...HS, crit: ['exp'], exp: 1 }),
  'an empty crit': () => sign({ ...HS, crit: [] }),
  'a crit that is no list': () => sign({ ...HS, crit: 'b64' }),
  'b64 false': () => sign({ ...HS, b64: false, crit: ['b64'] }),
  'b64 false over plain claims': () => {
    const header = encoded({ ...HS, b64: false, crit: ['b64'] })
    const [, , signature] = hmacJwt(SECRET, claims(), { ...HS, b64: false, crit: ['b64'] }).split('.')
    return `${header}.${JSON.stringify(claims())}.${signature}`
  },
  'two algs, the last none': () => sign('{"typ":"JWT","alg":"HS256","alg":"none"}'),
  'two algs, the first none, no signature': () => `${encoded('{"alg":"none","alg":"HS256"}')}.${body()}.`,
  'two algs, signed with the public key': () => hmacJwt(pem, claims(), '{"alg":"RS256","alg":"HS256"}'),
  'an empty signature': () => `${goodHead}.${goodBody}.`,
  'a signature of another token': () => `${goodHead}.${encoded(claims({ HS: 'Admin' }))}.${goodSignature}`,
  'a signature of another header': () => `${encoded({ ...HS, kid: '1' })}.${goodBody}.${goodSignature}`,
  'a signature that is cut short': () => good.slice(0, -4),
  'a signature that is longer': () => `${good}AAAA`,
  'a signature of zeros': () => `${goodHead}.${goodBody}.${Buffer.alloc(32).toString('base64url')}`,
  'an ECDSA signature of zeros (CVE-2022-21449)': () =>
    `${encoded({ alg: 'ES256' })}.${body()}.${Buffer.alloc(64).toString('base64url')}`,
  'four parts': () => `${good}.${goodSignature}`,
  'five parts, as of an encrypted one': () => `${encoded({ alg: 'dir', enc: 'A256GCM' })}.a.b.c.d`,
  'a header that is no JSON': () => sign('alg'),
  'a header that is null': () => sign('null'),
  'a header that is a list': () => sign('[{"alg":"HS256"}]'),
  'claims that are no JSON': () => sign(HS, 'x'),
  'claims that are null': () => sign(HS, 'null'),
  'claims in a list': () => sign(HS, [claims()]),
  'claims nested without end': () => sign(HS, nested),
  'a username nested without end': () => sign(HS, `{"HS":${nested},"exp":${inSeconds(60)}}`),
  'a JWT inside a JWT': () => sign({ ...HS, cty: 'JWT' }, good),
  'no exp': () => sign(HS, { HS: 'joe' }),
  'exp as text': () => sign(HS, claims({ exp: String(inSeconds(600)) })),
  'exp null': () => sign(HS, claims({ exp: null })),
  'exp true': () => sign(HS, claims({ exp: true })),
  'exp negative': () => sign(HS, claims({ exp: -1 })),
  'exp 0': () => sign(HS, claims({ exp: 0 })),
  'exp 1e999': () => sign(HS, '{"HS":"joe","exp":1e999}'),
  'exp 1e300': () => sign(HS, '{"HS":"joe","exp":1e300}'),
  'exp past': () => sign(HS, claims({ exp: inSeconds(-1) })),
  'two exps, the last past': () => sign(HS, `{"HS":"joe","exp":${inSeconds(60)},"exp":1}`),
  'nbf in the future': () => sign(HS, claims({ nbf: inSeconds(300) })),
  'nbf as text': () => sign(HS, claims({ nbf: '0' })),
  'iat as text': () => sign(HS, claims({ iat: 'x' })),
  huge: () => sign(HS, claims({ x: 'x'.repeat(9000) })),
  'a username that is a number': () => sign(HS, claims({ HS: 1 })),
  'a username that is a list': () => sign(HS, claims({ HS: ['joe'] })),
  'a username that is an object': () => sign(HS, claims({ HS: { joe: 1 } })),
  'a username that is null': () => sign(HS, claims({ HS: null })),
  'a username that is empty': () => sign(HS, claims({ HS: '' })),
  'a username of 101 characters': () => sign(HS, claims({ HS: 'x'.repeat(101) })),
  'a username with half a character': () => sign(HS, `{"HS":"\\ud800","exp":${inSeconds(60)}}`),
  'no username': () => sign(HS, { exp: inSeconds(60) }),
  'a username by inheritance': () => sign(HS, `{"__proto__":{"HS":"joe"},"exp":${inSeconds(60)}}`),
  'a jti that is a number': () => sign(HS, claims({ jti: 1 })),
  'a jti that is an object': () => sign(HS, claims({ jti: {} })),
}

describe('pitfall 17: what a JWT says of itself decides nothing', () => {
  it('the tokens that the forgeries are made from are accepted', async () => {
    assert.equal(await whose(daemon, good), 'joe')
    assert.equal(await whose(daemon, keyJwt(rsa.privateKey, 'RS256', claims())), 'joe')
    assert.equal(await whose(daemon, keyJwt(ec.privateKey, 'ES256', claims())), 'joe')
    assert.equal(await whose(daemon, sign({ ...HS, kid: '../../../../dev/null', jku: 'http://x' })), 'joe')
  })

  for (const [what, make] of Object.entries(FORGED))
    it(`${what}: not accepted on any door, nor by introspection`, async (t) => {
      const token = make()
      const { status } = await call(daemon, 'Auth.WhoAmI', undefined, { token })
      assert.equal(status, 401)
      assert.equal((await http(daemon, undefined, { method: 'GET', path: '/auth', token })).status, 401)
      assert.equal((await ask(daemon, token, 'personal/list')).status, 401)
      await assert.rejects(
        webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } }),
        (error) => error instanceof UpgradeRefused && error.status === 401,
      )
      const asked = await call(daemon, 'token.introspect', { token }, { token: admin })
      const isTooLong = token.length > 8192
      assert.deepEqual(asked.json.result, isTooLong ? undefined : { active: false })
    })

  it('no user was made, and nothing else went wrong', async () => {
    const { json } = await call(daemon, 'user.get', { output: ['username'] }, { token: admin })
    assert.deepEqual(json.result, [{ username: 'Admin' }, { username: 'joe' }])
    assert.doesNotMatch(daemon.log(), /a call failed|"level":[56]0/)
  })

  it('a token for one configuration is none for another with the same secret and another claim', async () => {
    await configure(daemon, admin, { name: 'OTHER' })
    assert.equal(await whose(daemon, hmacJwt(SECRET, { OTHER: 'joe', exp: inSeconds(60) })), 'joe')
    await ask(daemon, admin, 'update', { json: { name: 'OTHER', enable: '0' } })
    assert.equal(await whose(daemon, hmacJwt(SECRET, { OTHER: 'joe', exp: inSeconds(61) })), undefined)
  })

  it('a hash of the secret is not the secret', async () => {
    const hashed = createHash('sha256').update(SECRET).digest()
    assert.equal(await whose(daemon, hmacJwt(hashed, claims())), undefined)
  })
})
