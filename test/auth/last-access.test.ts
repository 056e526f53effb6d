import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AccessBoard, accessMemory } from '../../src/auth/access-board.ts'
import { LastAccess } from '../../src/auth/last-access.ts'
import { lastAccessKey, tokenKey } from '../../src/auth/records.ts'
import { TokenCounts } from '../../src/auth/token-counts.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { Commit } from '../../src/store/store.ts'
import { authority, LOCAL } from '../support/parts.ts'

describe('last access', () => {
  it('is not taken back by a thread that found its token changed, and another one faster', async () => {
    const store = memoryStore()
    const { tokens, verifier, clock, ledger } = await authority(store)
    const { record, secret } = await tokens.mint({ ttl: 0 }, LOCAL)
    const board = new AccessBoard(accessMemory())
    const [slow, fast] = [0, 1].map(() => new LastAccess(store, ledger, clock, board))
    const [at, later] = [clock.now(), clock.now() + 2_000]
    const before = (await verifier.verify(secret.reveal()))?.live
    assert.ok(before && slow && fast)
    slow.touch(before, at)
    const key = tokenKey(record.id)
    const change = { ...record, description: 'changed' }
    await ledger.commit({ steps: [{ key, write: JSON.stringify(change) }], audit: [] })
    const commit = store.commit.bind(store)
    store.commit = async (one: Commit) => {
      store.commit = commit
      const written = await commit(one)
      fast.touch({ ...before, version: (await store.get(key))?.version ?? 0, access: undefined }, later)
      await fast.flush()
      return written
    }
    await slow.flush()
    assert.equal((await store.get(lastAccessKey(record.id)))?.value, String(later))
  })
})

describe('the counts of tokens', () => {
  it('are counted anew after a store that could not be read', async () => {
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
})
