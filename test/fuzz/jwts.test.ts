import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { startDaemon } from '../support/daemon.ts'
import {
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
import { holds } from '../support/property.ts'
import { call, mint } from '../support/talk.ts'
import { altered, HEADER_TEXT, likeUnknown, seen, WAYS } from './credentials.ts'
import { assertUnharmed } from './unharmed.ts'

const daemon = await startDaemon({ after }, { config: PATIENT })
const admin = await mint(daemon)
await userWithToken(daemon, admin, 'joe')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
await configure(daemon, admin, { name: 'HS', inituser: '0' })
await configure(daemon, admin, {
  name: 'RS',
  inituser: '0',
  algorithm: 'RS256',
  secret: publicPem(rsa.publicKey),
})
await configure(daemon, admin, {
  name: 'ES',
  inituser: '0',
  algorithm: 'ES256',
  secret: publicPem(ec.publicKey),
})

const LONG = 86_400
const claims = (more: object = {}) => ({ HS: 'joe', RS: 'joe', ES: 'joe', exp: inSeconds(LONG), ...more })
const GOOD = [
  hmacJwt(SECRET, claims()),
  hmacJwt(SECRET, claims({ jti: 'another', iat: 1 })),
  keyJwt(rsa.privateKey, 'RS256', claims()),
  keyJwt(ec.privateKey, 'ES256', claims()),
]
const unknown = likeUnknown(daemon)

/** Header, claims and signature of any of them, in any number and other alphabets of Base64. */
const patched = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom(...GOOD), fc.nat({ max: 2 })), { minLength: 1, maxLength: 5 }),
    fc.constantFrom('.', '.', '.', '..', ','),
    fc.constantFrom('', '', '=', '==', '.'),
  )
  .map(([parts, dot, end]) => parts.map(([token, at]) => token.split('.')[at]).join(dot) + end)

const inBase64 = fc.constantFrom(...GOOD).map((token) =>
  token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('base64'))
    .join('.'),
)

/** Another last character: Base64 does not use all of its bits. */
const respelled = fc
  .tuple(fc.constantFrom(...GOOD), fc.base64String({ minLength: 4, maxLength: 4 }))
  .map(
    ([token, letters]) =>
      token.slice(0, -1) + (Buffer.from(letters, 'base64').toString('base64url')[0] ?? ''),
  )

const forged = fc
  .tuple(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('', 'x', publicPem(rsa.publicKey), publicPem(ec.publicKey), SECRET.slice(1)),
  )
  .map(([header, secret]) => hmacJwt(secret, claims(), { alg: 'HS256', ...(header as object) }))

const unsigned = fc
  .tuple(fc.json({ maxDepth: 2 }), fc.json({ maxDepth: 2 }), fc.base64String())
  .map(([header, payload, signature]) => `${encoded(header)}.${encoded(payload)}.${signature}`)

const NEARLY = fc
  .oneof(
    { weight: 5, arbitrary: fc.oneof(...GOOD.map((token) => altered(token, HEADER_TEXT))) },
    { weight: 2, arbitrary: patched },
    { weight: 1, arbitrary: inBase64 },
    { weight: 2, arbitrary: respelled },
    { weight: 2, arbitrary: forged },
    { weight: 1, arbitrary: unsigned },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...GOOD).map((token) => token.replace('.', `${'A'.repeat(9_000)}.`)),
    },
  )
  .filter((token) => token !== '' && !GOOD.includes(token))

/** What a header or claim may be, and whether a token with it is good. */
type Choice = readonly [value: unknown, isGood: boolean]
const choice = (good: readonly unknown[], bad: readonly unknown[]): fc.Arbitrary<Choice> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...good).map((value): Choice => [value, true]) },
    { weight: 1, arbitrary: fc.constantFrom(...bad).map((value): Choice => [value, false]) },
  )

const HEADER = fc.record({
  alg: choice(['HS256'], ['none', 'hs256', 'HS384', 'RS256', '', null, ['HS256'], undefined, {}]),
  typ: fc.constantFrom('JWT', undefined, 'x', 1, null).map((value): Choice => [value, true]),
  crit: choice([undefined], [['exp'], [], 'b64', null, ['__proto__']]),
})
const CLAIMS = fc.record({
  exp: choice([inSeconds(LONG), inSeconds(LONG) + 0.5], [0, -1, 1, '9e9', null, true, 1e300, undefined, {}]),
  nbf: choice([undefined, 0, 1.5], ['0', inSeconds(LONG), null, {}]),
  iat: choice([undefined, 0, 1e12], ['x', null, []]),
  jti: choice([undefined, 'x', '__proto__'], ['', 1, null, {}, '\ud800', 'x'.repeat(257)]),
  HS: choice(['joe'], ['', 'Joe', 'joe ', 'joe\u200b', 'stranger', 1, null, ['joe'], undefined, '__proto__']),
})

function settled(choices: Readonly<Record<string, Choice>>) {
  const pairs = Object.entries(choices)
  return {
    part: Object.fromEntries(pairs.map(([name, [value]]) => [name, value])),
    isGood: pairs.every(([, [, isGood]]) => isGood),
  }
}

describe('a signed token', () => {
  it('is accepted as it was signed', async () => {
    for (const token of GOOD) assert.equal(await whose(daemon, token), 'joe')
  })

  it('that is nearly one is refused like any that was never made, on every way in', async () => {
    await holds(
      fc.asyncProperty(fc.constantFrom(...WAYS), NEARLY, async (way, token) => {
        assert.deepEqual(await seen(daemon, way, token), await unknown(way))
      }),
      120,
    )
    await assertUnharmed(daemon)
  })

  it('that is nearly one is inactive to who asks about it', async () => {
    await holds(
      fc.asyncProperty(NEARLY, async (token) => {
        const { json } = await call(daemon, 'token.introspect', { token }, { token: admin })
        if (token.length <= 8_192) assert.deepEqual(json.result, { active: false })
        else assert.equal(json.error?.code, -32602)
      }),
      50,
    )
    await assertUnharmed(daemon)
  })

  it('is accepted exactly where all that it says holds', async () => {
    await holds(
      fc.asyncProperty(HEADER, CLAIMS, async (header, payload) => {
        const [head, body] = [settled(header), settled(payload)]
        const token = hmacJwt(SECRET, body.part, head.part)
        assert.equal(await whose(daemon, token), head.isGood && body.isGood ? 'joe' : undefined)
      }),
      100,
    )
    await assertUnharmed(daemon)
  })

  it('has made nobody', async () => {
    const { json } = await call(daemon, 'user.get', { output: ['username'] }, { token: admin })
    assert.deepEqual(json.result, [{ username: 'Admin' }, { username: 'joe' }])
  })
})
