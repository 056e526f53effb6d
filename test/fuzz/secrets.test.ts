import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { isSecretShaped, printSecret } from '../../src/auth/secret.ts'
import { startDaemon } from '../support/daemon.ts'
import { PATIENT } from '../support/datafor.ts'
import { holds } from '../support/property.ts'
import { http, mint } from '../support/talk.ts'
import { altered, HEADER_TEXT, likeUnknown, seen, WAYS } from './credentials.ts'
import { assertUnharmed } from './unharmed.ts'

const daemon = await startDaemon({ after }, { config: PATIENT })
const minted = await mint(daemon)
const hexadecimal = await generatedForZabbix()
const unknown = likeUnknown(daemon)

/** As Zabbix prints them: without a checksum that would tell what is wrong before the store is asked. */
async function generatedForZabbix(): Promise<string> {
  const zabbix = async (method: string, params: unknown) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    return (await http(daemon, body, { path: '/api_jsonrpc.php', token: minted })).json.result
  }
  const { tokenids } = (await zabbix('token.create', { name: 'hexadecimal' })) as { tokenids: string[] }
  const [{ token }] = (await zabbix('token.generate', tokenids)) as [{ token: string }]
  return token
}

const BYTES = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
  fc.constantFrom(0, 1, 255).map((byte) => new Uint8Array(32).fill(byte)),
)
const ANYTHING = fc.string({ unit: 'binary', maxLength: 3 })

describe('the secret of a token', () => {
  it('has one form, whatever its bytes are, and no two secrets share it', () =>
    holds(
      fc.property(BYTES, BYTES, (bytes, others) => {
        const text = printSecret(bytes)
        assert.match(text, /^pst_[0-9A-Za-z]{49}$/)
        assert.equal(isSecretShaped(text), true)
        assert.equal(text === printSecret(others), Buffer.from(bytes).equals(others))
      }),
      300,
    ))

  it('is told from everything that is nearly it, without asking the store', () =>
    holds(
      fc.property(
        BYTES.chain((bytes) => altered(printSecret(bytes), ANYTHING)),
        (text) => assert.equal(isSecretShaped(text), false),
      ),
      2000,
    ))

  it('is not found in other text', () =>
    holds(
      fc.property(fc.oneof(ANYTHING, fc.stringMatching(/^pst_[0-9A-Za-z]{49}$/)), (text) =>
        assert.equal(isSecretShaped(text), false),
      ),
      500,
    ))
})

describe('a token that is nearly one', () => {
  it('are two kinds, both of them accepted as they are', async () => {
    assert.match(minted, /^pst_/)
    assert.match(hexadecimal, /^[0-9a-f]{64}$/)
    for (const way of WAYS)
      for (const token of [minted, hexadecimal])
        assert.equal((await seen(daemon, way, token)).status, way === 'auth' ? 204 : 200)
  })

  it('is refused like any that was never made, on every way in', async () => {
    const nearly = fc.oneof(...[minted, hexadecimal].map((token) => altered(token, HEADER_TEXT)))
    await holds(
      fc.asyncProperty(
        fc.constantFrom(...WAYS),
        nearly.filter((token) => token !== ''),
        async (way, token) => {
          assert.deepEqual(await seen(daemon, way, token), await unknown(way))
        },
      ),
      120,
    )
    await assertUnharmed(daemon)
  })

  it('is refused as a parameter whatever it is made of', async () => {
    const nearly = fc.oneof(altered(minted, ANYTHING), altered(hexadecimal, ANYTHING), ANYTHING)
    const odd = fc.oneof(nearly, fc.jsonValue({ maxDepth: 2 }), fc.constant('A'.repeat(60_000)))
    await holds(
      fc.asyncProperty(odd, async (token) => {
        assert.deepEqual(await seen(daemon, 'Token', token as string), await unknown('Token'))
      }),
      80,
    )
    await assertUnharmed(daemon)
  })
})
