import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import {
  ask,
  claimsOf,
  configure,
  EXAMPLE,
  EXAMPLE_TIME,
  headerOf,
  hmacJwt,
  machine,
  SECRET,
} from '../support/datafor.ts'
import { call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)

describe('POST generate', () => {
  it('gives the documented example byte for byte, from a form and from JSON', async (t) => {
    const { daemon } = await machine(t, EXAMPLE_TIME)
    const token = await mint(daemon)
    const expected = { status: 200, body: { success: true, expire: 86_400, token: EXAMPLE } }
    const fields = { name: 'ERP', privateKey: 'abcd', username: 'admin' }
    assert.deepEqual(await ask(daemon, token, 'generate', { form: fields }), expected)
    const json = { name: 'ERP', privateKey: 'abcd', payload: { username: 'admin' } }
    assert.deepEqual(await ask(daemon, token, 'generate', { json }), expected)
    const { json: row } = await call(daemon, 'jwt.issue', json, { token })
    assert.deepEqual(row.result, { expire: 86_400, token: EXAMPLE })
  })

  it('signs with the algorithm, the claim, the lifetime and the secret of the stored configuration', async () => {
    await configure(daemon, admin, {
      name: 'GEN',
      algorithm: 'HS512',
      expire: 60,
      fieldmap: { username: 'uid', name: 'full', email: 'mail' },
    })
    const { status, body } = await ask(daemon, admin, 'generate', {
      json: { name: 'GEN', payload: { username: 'joe', name: 'Joe', email: 'j@x', dept: 'it' } },
    })
    assert.deepEqual([status, body.success, body.expire], [200, true, 60])
    assert.deepEqual(headerOf(String(body.token)), { typ: 'JWT', alg: 'HS512' })
    const { exp, ...claims } = claimsOf(String(body.token))
    assert.deepEqual(claims, { uid: 'joe', full: 'Joe', mail: 'j@x', dept: 'it' })
    const payload = claimsOf(String(body.token))
    assert.equal(body.token, hmacJwt(SECRET, payload, { typ: 'JWT', alg: 'HS512' }, 'sha512'))
  })

  it('lets a privateKey go before the stored secret', async () => {
    await configure(daemon, admin, { name: 'OWN' })
    const form = { name: 'OWN', privateKey: 'other', username: 'joe' }
    const token = String((await ask(daemon, admin, 'generate', { form })).body.token)
    assert.equal(token, hmacJwt('other', claimsOf(token)))
  })

  it('takes no exp, nbf, iat, jti or username claim out of the payload', async () => {
    await configure(daemon, admin, { name: 'HARD', fieldmap: { username: 'uid' } })
    const payload = { username: 'joe', uid: 'Admin', exp: 9_999_999_999, nbf: 1, iat: 1, jti: 'x' }
    const { body } = await ask(daemon, admin, 'generate', { json: { name: 'HARD', payload } })
    const { exp, ...claims } = claimsOf(String(body.token))
    assert.deepEqual(claims, { uid: 'joe' })
    assert.ok(Number(exp) < 9_999_999_999)
  })

  it('says which field is missing, with 400', async () => {
    for (const [form, msg] of [
      [{ privateKey: 'abcd', username: 'x' }, /name/],
      [{ name: 'nothing-stored', username: 'x' }, /privateKey/],
      [{ name: 'nothing-stored', privateKey: 'abcd' }, /username/],
    ] as [Record<string, string>, RegExp][]) {
      const { status, body } = await ask(daemon, admin, 'generate', { form })
      assert.deepEqual([status, body.success, body.code], [400, false, '400'])
      assert.match(String(body.msg), msg)
    }
  })
})
