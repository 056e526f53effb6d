import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AccessBoard, accessMemory } from '../../src/auth/access-board.ts'
import { LastAccess } from '../../src/auth/last-access.ts'
import { lastAccessKey, tokenKey } from '../../src/auth/records.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { authority, LOCAL } from '../support/parts.ts'

/** A token that was found, and what is stored of its last access. */
async function found() {
  const store = memoryStore()
  const { tokens, verifier, lastAccess, ledger, clock, time } = await authority(store)
  const { record, secret } = await tokens.mint({ ttl: 0 }, LOCAL)
  const { live } = (await verifier.verify(secret.reveal())) ?? assert.fail()
  const stored = async () => Number((await store.get(lastAccessKey(record.id)))?.value)
  return { store, lastAccess, ledger, clock, record, live, now: time.now, stored }
}

describe('last access', () => {
  it('is written the next time where its token was changed twice meanwhile', async () => {
    const { store, lastAccess, live, now, stored } = await found()
    const commit = store.commit.bind(store)
    let refused = 0
    store.commit = async (wanted) => ++refused > 2 && commit(wanted)
    lastAccess.touch(live, now)
    await lastAccess.flush()
    assert.equal(await lastAccess.read(live.record.id), now)
    await lastAccess.flush()
    assert.equal(await stored(), now)
  })

  it('is never taken back, however often an earlier one is seen', async () => {
    const { lastAccess, live, now, stored } = await found()
    for (const at of [now + 1_000, now, now + 1, now + 2]) {
      lastAccess.touch(live, at)
      await lastAccess.flush()
      assert.equal(await stored(), now + 1_000)
    }
  })

  it('is not taken back by a thread that found its token changed, and another one faster', async () => {
    const { store, ledger, clock, record, live, now, stored } = await found()
    const board = new AccessBoard(accessMemory())
    const slow = new LastAccess(store, ledger, clock, board)
    const fast = new LastAccess(store, ledger, clock, board)
    slow.touch(live, now)
    const key = tokenKey(record.id)
    const change = { ...record, description: 'changed' }
    await ledger.commit({ steps: [{ key, write: JSON.stringify(change) }], audit: [] })
    const commit = store.commit.bind(store)
    store.commit = async (wanted) => {
      store.commit = commit
      const written = await commit(wanted)
      fast.touch({ ...live, version: (await store.get(key))?.version ?? 0, access: undefined }, now + 2_000)
      await fast.flush()
      return written
    }
    await slow.flush()
    assert.equal(await stored(), now + 2_000)
  })
})
