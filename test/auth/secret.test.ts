import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { format, inspect } from 'node:util'
import { crc32 } from 'node:zlib'
import { isSecretShaped, mintSecret, Pepper, printSecret, Secret } from '../../src/auth/secret.ts'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function base62(text: string): bigint {
  return [...text].reduce((sum, digit) => sum * 62n + BigInt(DIGITS.indexOf(digit)), 0n)
}

describe('a secret', () => {
  it('is pst_, 43 base62 digits of its 32 bytes, and 6 of the CRC-32 of what precedes', () => {
    for (const bytes of [Buffer.alloc(32), Buffer.alloc(32, 0xff), randomBytes(32), randomBytes(32)]) {
      const text = printSecret(bytes)
      const [, body = '', check = ''] = /^pst_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/.exec(text) ?? []
      assert.equal(base62(body), BigInt(`0x${bytes.toString('hex')}`))
      assert.equal(base62(check), BigInt(crc32(`pst_${body}`)))
      assert.ok(isSecretShaped(text))
    }
  })

  it('is told from garbage by its checksum, whichever digit is wrong', () => {
    const text = mintSecret().reveal()
    for (let at = 0; at < text.length; at++) {
      const wrong = text.slice(0, at) + (text[at] === 'x' ? 'y' : 'x') + text.slice(at + 1)
      assert.ok(!isSecretShaped(wrong), wrong)
    }
    for (const garbage of ['', 'pst_', `${text}0`, text.slice(1), text.toUpperCase(), ` ${text}`])
      assert.ok(!isSecretShaped(garbage))
  })

  it('is never the same twice', () => {
    const seen = new Set(Array.from({ length: 1000 }, () => mintSecret().reveal()))
    assert.equal(seen.size, 1000)
  })

  it('cannot be printed', () => {
    const secret = new Secret('canary')
    const printed = [
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }),
      format('%s %o %j', secret, secret, secret),
      String(Object.values(secret)),
    ]
    assert.ok(!printed.join().includes('canary'), printed.join())
  })

  it('is stored as HMAC-SHA-256 under the pepper', () => {
    const key = randomBytes(32)
    const pepper = new Pepper(key)
    for (const text of [mintSecret().reveal(), mintSecret().reveal()]) {
      assert.equal(pepper.hash(text), createHmac('sha256', key).update(text).digest('base64url'))
    }
  })
})
