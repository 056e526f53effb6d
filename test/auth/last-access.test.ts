import assert from 'node:assert/strict'
import { it } from 'node:test'
import { lastAccessKey } from '../../src/auth/records.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { authority, LOCAL } from '../support/parts.ts'

/** A token that was found, and what is stored of its last access. */
async function found() {
  const store = memoryStore()
  const { tokens, verifier, lastAccess, time } = await authority(store)
  const { record, secret } = await tokens.mint({ ttl: 0 }, LOCAL)
  const { live } = (await verifier.verify(secret.reveal())) ?? assert.fail()
  const stored = async () => Number((await store.get(lastAccessKey(record.id)))?.value)
  return { store, lastAccess, live, now: time.now, stored }
}

it('a use whose write is refused twice, since its token was changed twice meanwhile, is written the next time', async () => {
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

it('the last access that is stored is never taken back, however often an earlier one is seen', async () => {
  const { lastAccess, live, now, stored } = await found()
  for (const at of [now + 1_000, now, now + 1, now + 2]) {
    lastAccess.touch(live, at)
    await lastAccess.flush()
    assert.equal(await stored(), now + 1_000)
  }
})
