import assert from 'node:assert/strict'
import { it } from 'node:test'
import { TokenCounts } from '../../src/auth/token-counts.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { authority, LOCAL } from '../support/parts.ts'

it('tokens are counted anew after a store that could not be read', async () => {
  const store = memoryStore()
  const { tokens, clock } = await authority(store)
  await tokens.mint({ ttl: 0 }, LOCAL)
  const counts = new TokenCounts(store, clock)
  const snapshot = store.snapshot.bind(store)
  store.snapshot = () => {
    throw new Error('the database is closed')
  }
  await assert.rejects(counts.byState())
  store.snapshot = snapshot
  assert.equal((await counts.byState()).active, 1)
})
