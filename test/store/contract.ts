import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CHAIN_START, chained } from '../../src/store/batch.ts'
import { APPENDED, orderedNumber, prefixed, type Store, Unavailable } from '../../src/store/store.ts'

/** What every backend promises. `open` gives a new, empty store each time. */
export function storeContract(backend: string, open: () => Promise<Store>): void {
  const promise = (name: string, check: (store: Store) => Promise<void>) => {
    it(name, async () => {
      const store = await open()
      try {
        await check(store)
      } finally {
        await store.close()
      }
    })
  }
  const put = (store: Store, key: string, write: string | null, expect?: number) =>
    store.commit({ steps: [{ key, write, ...(expect !== undefined && { expect }) }] })
  const version = async (store: Store, key: string) => (await store.get(key))?.version ?? 0

  describe(`store: ${backend}`, () => {
    promise('what was committed can be read', async (store) => {
      assert.equal(await put(store, 'a', 'one'), true)
      assert.equal((await store.get('a'))?.value, 'one')
      assert.equal(await store.get('b'), undefined)
    })

    promise('a key is one key, however long and whatever its characters', async (store) => {
      await store.get('short')
      const names = ['я', '😀', '日', 'x'].flatMap((char) =>
        Array.from({ length: 80 }, (_, n) => `n/1/${'a'.repeat(n % 4)}${char.repeat(n + 1)}`),
      )
      for (const key of names) assert.equal(await put(store, key, key, 0), true, key)
      for (const key of names) assert.equal((await store.get(key))?.value, key)
    })

    promise('any text is kept as it is', async (store) => {
      for (const value of ['', ' ', 'a b', '0 x', 'ü😀\u0000\n', 'x'.repeat(100_000)]) {
        await put(store, 'k', value)
        assert.equal((await store.get('k'))?.value, value)
      }
    })

    promise('a condition of 0 holds only for a key that does not exist', async (store) => {
      assert.equal(await put(store, 'a', 'first', 0), true)
      assert.equal(await put(store, 'a', 'second', 0), false)
      assert.equal((await store.get('a'))?.value, 'first')
    })

    promise('a condition on a version holds until the key is written', async (store) => {
      await put(store, 'a', 'one')
      const seen = await version(store, 'a')
      assert.equal(await put(store, 'a', 'two', seen), true)
      assert.equal(await put(store, 'a', 'three', seen), false)
    })

    promise('a version is never used again for a key, deleted or not', async (store) => {
      const versions = new Set<number>()
      for (let round = 0; round < 5; round++) {
        await put(store, 'a', 'x')
        versions.add(await version(store, 'a'))
        await put(store, 'a', null)
      }
      assert.equal(versions.size, 5)
      assert.ok(!versions.has(0))
    })

    promise('a refused commit writes nothing, appends nothing and signals nothing', async (store) => {
      const signals: string[] = []
      store.subscribe({ signal: (payload) => signals.push(payload), reset: () => {} })
      await put(store, 'taken', 'x')
      const steps = [
        { key: 'new', write: 'y' },
        { key: 'taken', expect: 0, write: 'z' },
      ]
      assert.equal(await store.commit({ steps, append: ['line'], signals: ['signal'] }), false)
      assert.equal(await store.get('new'), undefined)
      assert.deepEqual([signals, await store.scan({ ...prefixed(APPENDED), limit: 10 })], [[], []])
    })

    promise('a step without a write is only a condition', async (store) => {
      assert.equal(
        await store.commit({
          steps: [
            { key: 'a', expect: 0 },
            { key: 'b', write: 'x' },
          ],
        }),
        true,
      )
      assert.equal(await store.get('a'), undefined)
    })

    promise('of many commits that expect the same, exactly one succeeds', async (store) => {
      const outcomes = await Promise.all(Array.from({ length: 50 }, (_, n) => put(store, 'a', String(n), 0)))
      assert.equal(outcomes.filter(Boolean).length, 1)
    })

    promise('commits take effect in the order of their arrival', async (store) => {
      const first = put(store, 'a', '1', 0)
      const second = put(store, 'a', null)
      const third = put(store, 'a', '3', 0)
      assert.deepEqual(await Promise.all([first, second, third]), [true, true, true])
      assert.equal((await store.get('a'))?.value, '3')
    })

    promise('appended lines are numbered from 1 without gaps, in order', async (store) => {
      await store.commit({ steps: [], append: ['a', 'b'] })
      await store.commit({ steps: [{ key: 'x', expect: 5 }], append: ['refused'] })
      await Promise.all([
        store.commit({ steps: [], append: ['c'] }),
        store.commit({ steps: [], append: ['d'] }),
      ])
      const lines = await store.scan({ ...prefixed(APPENDED), limit: 10 })
      assert.deepEqual(
        lines.map(({ key, value }) => [key, value.split(' ')[1]]),
        ['a', 'b', 'c', 'd'].map((line, at) => [APPENDED + orderedNumber(at + 1), line]),
      )
    })

    promise('each appended line carries the hash of itself and of all before it', async (store) => {
      await store.commit({ steps: [], append: ['a', 'a'] })
      await store.commit({ steps: [], append: ['a'] })
      let before = CHAIN_START
      for (const { value } of await store.scan({ ...prefixed(APPENDED), limit: 10 })) {
        assert.equal(value, `${chained(before, 'a')} a`)
        before = chained(before, 'a')
      }
    })

    promise(
      'signals are applied before the commit resolves, and reads show its effect by then',
      async (store) => {
        const heard: string[] = []
        store.subscribe({
          signal: (payload) => heard.push(`${payload}=${JSON.stringify(store.get('a'))}`),
          reset: () => {},
        })
        await store.commit({ steps: [{ key: 'a', write: 'x' }], signals: ['s'] })
        assert.equal(heard.length, 1)
        assert.match(heard[0] as string, /"value":"x"/)
      },
    )

    promise('whoever has unsubscribed hears nothing', async (store) => {
      const heard: string[] = []
      store.subscribe({ signal: (payload) => heard.push(payload), reset: () => {} })()
      await store.commit({ steps: [], signals: ['s'] })
      assert.deepEqual(heard, [])
    })

    promise('a scan gives gte ≤ key < lt in the order of bytes, limited, and in reverse', async (store) => {
      const keys = ['a', 'a/', 'a/1', 'a/2', 'a/ü', 'a/\uffee', 'a/😀', 'a0', 'b']
      for (const key of keys.toReversed()) await put(store, key, key)
      const scan = async (options: object) =>
        (await store.scan({ ...prefixed('a/'), limit: 100, ...options })).map(({ key }) => key)
      assert.deepEqual(await scan({}), ['a/', 'a/1', 'a/2', 'a/ü', 'a/\uffee', 'a/😀'])
      assert.deepEqual(await scan({ limit: 2 }), ['a/', 'a/1'])
      assert.deepEqual(await scan({ limit: 2, reverse: true }), ['a/😀', 'a/\uffee'])
    })

    promise('a snapshot shows one moment', async (store) => {
      await put(store, 'a', 'before')
      const snapshot = store.snapshot()
      await put(store, 'a', 'after')
      await put(store, 'b', 'new')
      assert.equal((await snapshot.get('a'))?.value, 'before')
      assert.deepEqual(
        (await snapshot.scan({ gte: 'a', lt: 'c', limit: 9 })).map(({ value }) => value),
        ['before'],
      )
      await snapshot.close()
    })

    promise('more than 10,000 steps are refused', async (store) => {
      const steps = Array.from({ length: 10_001 }, (_, n) => ({ key: `k${n}`, write: '' }))
      await assert.rejects(store.commit({ steps }), RangeError)
    })

    promise('a closed store takes no commit', async (store) => {
      const closed = await open()
      await closed.close()
      await assert.rejects(put(closed, 'a', 'x'), Unavailable)
      assert.deepEqual([closed.writable, store.writable], [false, true])
    })
  })
}
