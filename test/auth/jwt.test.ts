import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, it } from 'node:test'
import { Configurations } from '../../src/auth/jwt/configurations.ts'
import { Issuer } from '../../src/auth/jwt/issuer.ts'
import { Seal } from '../../src/auth/jwt/seal.ts'
import {
  ask,
  claimsOf,
  configure,
  EXAMPLE,
  EXAMPLE_TIME,
  gate,
  hmacJwt,
  keyJwt,
  publicPem,
  SECRET,
  whose,
} from '../support/datafor.ts'
import { authority } from '../support/parts.ts'
import { call, mint } from '../support/talk.ts'

const NOW = EXAMPLE_TIME / 1000
const rsa = (modulusLength = 2048) => generateKeyPairSync('rsa', { modulusLength })
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const privatePem = (key: KeyObject) => String(key.export({ type: 'pkcs8', format: 'pem' }))
const bodyOf = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '')
const PAIRS: Record<string, { publicKey: KeyObject; privateKey: KeyObject }> = {
  RS256: rsa(),
  RS384: rsa(),
  RS512: rsa(3072),
  ES256: ec('P-256'),
  ES384: ec('P-384'),
  ES512: ec('P-521'),
}

describe('issuing', () => {
  it('makes the documented example byte for byte with the clock at that second, and at any millisecond of it', async () => {
    for (const millisecond of [0, 999]) {
      const { store, ledger, clock, users, time } = await authority()
      time.leap = EXAMPLE_TIME + millisecond - time.now
      clock.reset()
      const configurations = await new Configurations({
        store,
        ledger,
        clock,
        seal: new Seal(Buffer.alloc(32)),
      }).open()
      const user = users.find('1')
      const caller = {
        kind: 'token',
        user,
        token: { id: '1', expires: null },
        live: {},
        fixed: true,
        address: 'unix',
      } as never
      const issuer = new Issuer({ store, configurations, users, ledger, clock })
      const issued = await issuer.issue({ name: 'ERP', privateKey: 'abcd', username: 'admin' }, caller)
      assert.deepEqual(issued, { expire: 86_400, token: EXAMPLE })
    }
  })

  it('a signed token of a superadmin issues none that outlives it', async (t) => {
    const { daemon, admin } = await gate(t)
    await configure(daemon, admin, { name: 'ERP' })
    const token = hmacJwt(SECRET, { ERP: 'Admin', exp: NOW + 60 })
    const { body } = await ask(daemon, token, 'generate', { form: { name: 'ERP', username: 'joe' } })
    assert.deepEqual([body.expire, claimsOf(String(body.token)).exp], [60, NOW + 60])
  })

  it('an old secret in its grace issues none, and configures nothing', async (t) => {
    const { daemon, admin } = await gate(t)
    await configure(daemon, admin, { name: 'ERP' })
    const old = await mint(daemon, { ttl: 0, name: 'old' })
    const { tokenid } = (await call(daemon, 'Auth.WhoAmI', undefined, { token: old })).json.result as never
    await call(daemon, 'token.rotate', { tokenid, grace: 60 }, { token: admin })
    const { body } = await ask(daemon, old, 'generate', { form: { name: 'ERP', username: 'joe' } })
    assert.deepEqual([body.success, body.code], [false, '403'])
  })
})

describe('algorithms', () => {
  for (const algorithm of ['HS256', 'HS384', 'HS512'])
    it(`${algorithm}: what is issued is accepted, and what node:crypto signs too`, async (t) => {
      const { daemon, admin } = await gate(t)
      await configure(daemon, admin, { name: 'ERP', algorithm })
      const { body } = await ask(daemon, admin, 'generate', { form: { name: 'ERP', username: 'joe' } })
      const payload = { ERP: 'joe', exp: NOW + 60 }
      const own = hmacJwt(SECRET, payload, { alg: algorithm }, `sha${algorithm.slice(2)}`)
      assert.deepEqual([await whose(daemon, String(body.token)), await whose(daemon, own)], ['joe', 'joe'])
    })

  for (const [algorithm, { publicKey, privateKey }] of Object.entries(PAIRS))
    it(`${algorithm}: a public key as PEM or its body verifies, the private one (PEM or body) signs and is needed`, async (t) => {
      const { daemon, admin } = await gate(t)
      for (const secret of [publicPem(publicKey), bodyOf(publicPem(publicKey))]) {
        await configure(daemon, admin, { name: 'ERP', algorithm, secret })
        const own = keyJwt(privateKey, algorithm, { ERP: 'joe', exp: NOW + 60 })
        assert.equal(await whose(daemon, own), 'joe')
        for (const privateKeyText of [privatePem(privateKey), bodyOf(privatePem(privateKey))]) {
          const form = { name: 'ERP', username: 'joe', privateKey: privateKeyText }
          const { body } = await ask(daemon, admin, 'generate', { form })
          assert.equal(await whose(daemon, String(body.token)), 'joe')
        }
        const { status, body } = await ask(daemon, admin, 'generate', {
          form: { name: 'ERP', username: 'joe' },
        })
        assert.deepEqual([status, body.code], [400, '400'])
      }
      const stranger = algorithm.startsWith('RS')
        ? rsa()
        : ec(`P-${algorithm === 'ES512' ? '521' : algorithm.slice(2)}`)
      assert.equal(
        await whose(daemon, keyJwt(stranger.privateKey, algorithm, { ERP: 'joe', exp: NOW + 60 })),
        undefined,
      )
    })

  const wrong: [string, string, () => string][] = [
    ['RS256', 'a key of 1024 bits', () => publicPem(rsa(1024).publicKey)],
    ['RS256', 'an elliptic curve', () => publicPem(ec('P-256').publicKey)],
    [
      'RS256',
      'a key for RSASSA-PSS',
      () => publicPem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey),
    ],
    ['RS256', 'a private key', () => privatePem(rsa().privateKey)],
    ['RS256', 'the body of a private key', () => bodyOf(privatePem(rsa().privateKey))],
    ['RS256', 'a text', () => SECRET],
    ['ES256', 'another curve', () => publicPem(ec('P-384').publicKey)],
    ['ES256', 'secp256k1', () => publicPem(ec('secp256k1').publicKey)],
    ['ES384', 'RSA', () => publicPem(rsa().publicKey)],
    ['ES512', 'Ed25519', () => publicPem(generateKeyPairSync('ed25519').publicKey)],
  ]
  for (const [algorithm, what, secret] of wrong)
    it(`${algorithm} refuses ${what} for a public key, without quoting it`, async (t) => {
      const { daemon, admin } = await gate(t)
      const json = { name: 'ERP', enable: '1', algorithm, secret: secret() }
      const { status, body } = await ask(daemon, admin, 'update', { json })
      assert.deepEqual([status, body.code], [400, '400'])
      assert.ok(!JSON.stringify(body).includes(json.secret.slice(-60, -35)), 'quoted')
    })

  it('a stored public key that does not fit another algorithm is refused with it', async (t) => {
    const { daemon, admin } = await gate(t)
    await configure(daemon, admin, { name: 'ERP', algorithm: 'RS256', secret: publicPem(rsa().publicKey) })
    const json = { name: 'ERP', enable: '1', algorithm: 'ES256' }
    assert.equal((await ask(daemon, admin, 'update', { json })).status, 400)
  })
})
