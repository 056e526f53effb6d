import assert from 'node:assert/strict'
import { after, it } from 'node:test'
import { openLevel } from '../../src/store/level.ts'
import { levelPlaces } from '../../src/store/level-opening.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { StoreSharing } from '../../src/store/sharing.ts'
import { OutcomeUnknown, Unavailable } from '../../src/store/store.ts'
import { ThreadStore } from '../../src/store/thread-store.ts'
import { temporaryDirectory } from '../support/daemon.ts'
import { storeContract } from './contract.ts'

storeContract('memory', async () => memoryStore())
storeContract('thread', async () => {
  const directory = temporaryDirectory({ after })
  const sharing = new StoreSharing(directory)
  const level = await openLevel(levelPlaces(directory), sharing)
  sharing.serve(level)
  const store = await ThreadStore.open(sharing.admit())
  const close = store.close.bind(store)
  return Object.assign(store, { close: () => close().then(() => level.close()) })
})
storeContract('level', () => openLevel(levelPlaces(temporaryDirectory({ after }))))

it('what level acknowledged is there after reopening, and numbers go on where they were', async (t) => {
  const directory = temporaryDirectory(t)
  const first = await openLevel(levelPlaces(directory))
  await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      first.commit({ steps: [{ key: `k${n}`, write: String(n) }], append: ['l'] }),
    ),
  )
  const versions = new Set(
    (await first.scan({ gte: 'k', lt: 'l', limit: 1000 })).map(({ version }) => version),
  )
  await first.close()
  const second = await openLevel(levelPlaces(directory))
  assert.equal((await second.scan({ gte: 'k', lt: 'l', limit: 1000 })).length, 200)
  await second.commit({ steps: [{ key: 'k0', write: 'again' }], append: ['l'] })
  assert.ok(!versions.has((await second.get('k0'))?.version ?? 0))
  assert.equal((await second.scan({ gte: 'e/', lt: 'e0', limit: 1000 })).length, 201)
  await second.close()
})

it('after a failed write no later write claims success, and reads go on', async (t) => {
  const store = await openLevel(levelPlaces(temporaryDirectory(t)))
  await store.commit({ steps: [{ key: 'a', write: 'x' }] })
  // A value that cannot be put into a batch stands for a disk that refuses the write.
  const broken = { steps: [{ key: 'b', write: { toString: null } as unknown as string }] }
  const dependent = { steps: [{ key: 'b', expect: 0, write: 'y' }] }
  const outcomes = await Promise.allSettled([store.commit(broken), store.commit(dependent)])
  for (const outcome of outcomes) {
    assert.ok(outcome.status === 'rejected' && outcome.reason instanceof OutcomeUnknown)
  }
  await assert.rejects(store.commit({ steps: [{ key: 'c', write: 'z' }] }), Unavailable)
  assert.deepEqual([store.writable, (await store.get('a'))?.value], [false, 'x'])
  await store.close()
})
