import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { TokenCaller } from '../../src/auth/caller.ts'
import { groundSteps } from '../../src/auth/presumed-ground.ts'
import { TokenObjects } from '../../src/auth/token-objects.ts'
import { authority, LOCAL } from '../support/parts.ts'

it('what a token does rests on its scopes as they are when it is committed, not on those it was admitted with', async () => {
  const parts = await authority()
  const { tokens, verifier } = parts
  const objects = new TokenObjects({ ...parts, tokens })
  const admitted = async (name: string): Promise<TokenCaller> => {
    const { secret } = await tokens.mint({ ttl: 10, name, scopes: ['a.*', 'b'] }, LOCAL)
    const verified = await verifier.verify(secret.reveal())
    assert.ok(verified)
    const { live, user } = verified
    return { kind: 'token', address: '', live, token: live.record, user, at: 0 }
  }
  const { secret } = await tokens.mint({ ttl: 10, name: 'admin' }, LOCAL)
  const admin = await verifier.verify(secret.reveal())
  assert.ok(admin)
  const by: TokenCaller = { kind: 'token', address: '', ...admin, token: admin.live.record, at: 0 }
  const forbidden = { name: 'forbidden' }

  const narrowed = await admitted('narrowed')
  await groundSteps(narrowed, parts, 0)
  await objects.update([{ tokenid: narrowed.token.id, scopes: ['a.*'] }], by)
  await assert.rejects(groundSteps(narrowed, parts, 1), forbidden)
  await assert.rejects(tokens.revoke(by.token.id, narrowed, ''), forbidden)

  const renamed = await admitted('renamed')
  await objects.update([{ tokenid: renamed.token.id, name: 'other', scopes: ['b', 'a.*', 'c'] }], by)
  assert.equal((await groundSteps(renamed, parts, 1)).length, 2)
})
