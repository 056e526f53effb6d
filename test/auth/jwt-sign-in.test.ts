import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ask, configure, EXAMPLE_TIME, gate, hmacJwt, SECRET, whose } from '../support/datafor.ts'

const NOW = EXAMPLE_TIME / 1000
const forJoe = (claims: object = {}) => hmacJwt(SECRET, { ERP: 'joe', exp: NOW + 60, ...claims })

describe('sign-in', () => {
  it('exp is the first moment at which a token is dead', async (t) => {
    const { daemon, pass, admin } = await gate(t)
    await configure(daemon, admin, { name: 'ERP' })
    const [token, fresh] = [forJoe(), forJoe({ unseen: true })]
    assert.equal(await whose(daemon, token), 'joe')
    pass(59_999)
    assert.equal(await whose(daemon, token), 'joe')
    pass(1)
    assert.deepEqual([await whose(daemon, token), await whose(daemon, fresh)], [undefined, undefined])
  })

  it('an unknown user is made at the first sign-in with the agreed type and name; with inituser 0 refused', async (t) => {
    const { daemon, admin, found } = await gate(t)
    const types = { SYS_Reader: 'user', SYS_Creator: 'admin', Administrator: 'superadmin' }
    for (const [initroles, type] of Object.entries(types)) {
      await configure(daemon, admin, { name: 'ERP', initroles, fieldmap: { username: 'u', name: 'n' } })
      const token = hmacJwt(SECRET, { u: `new-${type}`, n: 'N. N.', exp: NOW + 60 })
      await Promise.all(Array.from({ length: 5 }, () => whose(daemon, token)))
      assert.deepEqual(await found(`new-${type}`), [{ username: `new-${type}`, type, name: 'N. N.' }])
    }
    await configure(daemon, admin, { name: 'ERP', inituser: '0' })
    assert.equal(await whose(daemon, forJoe({ ERP: 'stranger' })), undefined)
    assert.deepEqual(await found('stranger'), [])
    assert.equal(await whose(daemon, forJoe()), 'joe', 'who is known may come in')
  })

  it('a token that is refused makes no user', async (t) => {
    const { daemon, admin, found } = await gate(t)
    await configure(daemon, admin, { name: 'ERP' })
    for (const claims of [
      { exp: NOW },
      { exp: 1e300 },
      { exp: 253_402_300_800 },
      { nbf: NOW + 1 },
      { exp: '9' },
    ])
      assert.equal(await whose(daemon, forJoe({ ERP: 'ghost', ...claims })), undefined)
    assert.equal(await whose(daemon, hmacJwt('wrong', { ERP: 'ghost', exp: NOW + 60 })), undefined)
    assert.deepEqual(await found('ghost'), [])
  })

  it('gives what its user has at each call: demoted, disabled, renamed', async (t) => {
    const { daemon, admin, change } = await gate(t)
    await configure(daemon, admin, { name: 'ERP', inituser: '0' })
    const list = async () => (await ask(daemon, forJoe(), 'list')).status
    assert.equal(await list(), 403)
    await change({ type: 'superadmin' })
    assert.equal(await list(), 200)
    await change({ type: 'admin' })
    assert.equal(await list(), 403)
    await change({ status: 1 })
    assert.equal(await list(), 401)
    await change({ status: 0 })
    assert.equal(await list(), 403)
    await change({ username: 'jim' })
    assert.equal(await list(), 401)
    assert.equal(await whose(daemon, forJoe({ ERP: 'jim' })), 'jim')
  })

  it('a disabled user is not made anew, whatever the type of new ones', async (t) => {
    const { daemon, admin, change } = await gate(t)
    await configure(daemon, admin, { name: 'ERP', initroles: 'Administrator' })
    await change({ status: 1 })
    assert.equal(await whose(daemon, forJoe()), undefined)
  })
})
