import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { SEAL_PURPOSE, Seal } from '../../src/auth/jwt/seal.ts'
import { Pepper } from '../../src/auth/secret.ts'

const pepper = randomBytes(32)
const seal = new Seal(Pepper.derive(pepper, SEAL_PURPOSE))

describe('sealed secrets (pitfall 29)', () => {
  it('open under a key made from the same pepper, and say nothing', () => {
    for (const secret of ['abcd', 'ü😀', '', 'x'.repeat(8192)]) {
      const sealed = seal.close(secret, 'ERP')
      assert.equal(new Seal(Pepper.derive(pepper, SEAL_PURPOSE)).open(sealed, 'ERP'), secret)
      assert.ok(secret === '' || !Buffer.from(sealed, 'base64url').includes(secret), 'it shows')
    }
    assert.notEqual(seal.close('abcd', 'ERP'), seal.close('abcd', 'ERP'), 'equal secrets look alike')
  })

  it('open under no other pepper, for no other purpose, and for no other configuration', () => {
    const sealed = seal.close('abcd', 'ERP')
    assert.throws(() => new Seal(Pepper.derive(randomBytes(32), SEAL_PURPOSE)).open(sealed, 'ERP'))
    assert.throws(() => new Seal(Pepper.derive(pepper, 'another purpose')).open(sealed, 'ERP'))
    assert.throws(() => new Seal(pepper).open(sealed, 'ERP'))
    assert.throws(() => seal.open(sealed, 'OA'))
  })

  it('do not open where a bit was changed, or something is missing', () => {
    const bytes = Buffer.from(seal.close('abcd', 'ERP'), 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      assert.throws(() => seal.open(changed.toString('base64url'), 'ERP'))
      assert.throws(() => seal.open(bytes.subarray(0, at).toString('base64url'), 'ERP'))
    }
  })
})
