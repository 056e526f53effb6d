import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Live } from '../../src/auth/live.ts'
import { lastAccessKey, tokenKey, type UserRecord, userKey, userSignal } from '../../src/auth/records.ts'
import { erasure, parseToken } from '../../src/auth/token-steps.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { Entry, Store } from '../../src/store/store.ts'
import { authority, keys, LOCAL, observed } from '../support/parts.ts'

const DAY = 86_400_000
const never = new AbortController().signal

describe('a mint', () => {
  it('makes up another name where its own is taken', async () => {
    const { tokens } = await authority()
    const { record } = await tokens.mint({ ttl: 10 }, LOCAL)
    const next = `minted-${Number(record.id) + 2}`
    await tokens.mint({ ttl: 10, name: next }, LOCAL)
    const taken = await tokens.mint({ ttl: 10 }, LOCAL)
    assert.equal(taken.record.name, `${next}-1`)
  })

  it('goes by its owner as they are now, however often they change', async () => {
    const { tokens, users, ledger, store } = await authority()
    for (const surname of ['one', 'two']) {
      await tokens.mint({ ttl: 10 }, LOCAL)
      const { key, version } = (await store.get(userKey('1'))) ?? assert.fail()
      const changed = { ...(users.find('1') as UserRecord), surname }
      const steps = [{ key, expect: version, write: JSON.stringify(changed) }]
      assert.ok(await ledger.commit({ steps, audit: [], signals: [userSignal('1', changed)] }))
    }
    await tokens.mint({ ttl: 10 }, LOCAL)
  })
})

describe('verification', () => {
  it('refuses a token from the very millisecond of its end', async () => {
    const { tokens, verifier, time } = await authority()
    const { secret, record } = await tokens.mint({ ttl: 10 }, LOCAL)
    time.now = (record.expires ?? 0) - 1
    assert.ok(await verifier.verify(secret.reveal()))
    time.now += 1
    assert.equal(await verifier.verify(secret.reveal()), undefined)
  })

  it('reads the store once for a token, and never for garbage', async () => {
    const { store, seen } = observed()
    const { tokens, verifier } = await authority(store)
    const { secret } = await tokens.mint({ ttl: 10 }, LOCAL)
    seen.reads = 0
    for (let n = 0; n < 5; n++) assert.ok(await verifier.verify(secret.reveal()))
    assert.equal(seen.reads, 1)
    for (const garbage of ['', 'pst_', 'x'.repeat(53), `${secret.reveal().slice(0, -1)}!`])
      await verifier.verify(garbage)
    assert.equal(seen.reads, 1)
  })

  it('writes nothing', async () => {
    const { store, seen } = observed()
    const { tokens, verifier, lastAccess } = await authority(store)
    const { secret, record } = await tokens.mint({ ttl: 10 }, LOCAL)
    seen.commits.length = 0
    for (let n = 0; n < 100; n++) {
      await verifier.verify(secret.reveal())
      lastAccess.touch(await liveOf(store, record.id))
    }
    assert.deepEqual(seen.commits, [])
  })

  it('of one token by many at once is right for each, whatever the store takes', async () => {
    const { store } = observed(memoryStore(), { slow: true })
    const { tokens, verifier } = await authority(store)
    const { secret } = await tokens.mint({ ttl: 10 }, LOCAL)
    const found = await Promise.all(Array.from({ length: 10 }, () => verifier.verify(secret.reveal())))
    assert.ok(found.every((verified) => verified !== undefined))
  })

  it('never caches a read that a revocation overtook', async () => {
    const { store } = observed(memoryStore(), { slow: true })
    const { tokens, verifier } = await authority(store)
    const { secret, record } = await tokens.mint({ ttl: 10 }, LOCAL)
    const reading = verifier.verify(secret.reveal())
    await tokens.revoke(record.id, LOCAL, 'test')
    await reading
    assert.equal(await verifier.verify(secret.reveal()), undefined)
  })

  it('forgets everything when the feed may have a gap', async () => {
    const { store, seen } = observed()
    const { tokens, verifier } = await authority(store)
    const { secret } = await tokens.mint({ ttl: 10 }, LOCAL)
    const verified = await verifier.verify(secret.reveal())
    seen.reads = 0
    verifier.reset()
    assert.equal(verified && verifier.check(verified.live), undefined)
    assert.ok(await verifier.verify(secret.reveal()))
    assert.equal(seen.reads, 1)
  })
})

/** As it is found by its secret. */
async function liveOf(store: Store, id: string): Promise<Live> {
  const entry = (await store.get(tokenKey(id))) as Entry
  const record = parseToken(entry)
  return { record, hash: '', version: entry.version, stale: false, used: false, access: undefined }
}

describe('last access', () => {
  it('is written now and then, apart from the token, and only forward', async () => {
    const { store, seen } = observed()
    const { tokens, lastAccess, time } = await authority(store)
    const { record } = await tokens.mint({ ttl: 10 }, LOCAL)
    const live = await liveOf(store, record.id)
    lastAccess.touch(live)
    const first = time.now
    assert.equal(await lastAccess.read(record.id), first)
    await lastAccess.flush()
    assert.equal(await lastAccess.read(record.id), first)
    assert.deepEqual(seen.commits.at(-1)?.lossy, true)
    lastAccess.touch(live, first - 1)
    await lastAccess.flush()
    assert.equal(await lastAccess.read(record.id), first)
    const other = await tokens.mint({ ttl: 10 }, LOCAL)
    await store.commit({ steps: [{ key: lastAccessKey(other.record.id), write: String(first + 5000) }] })
    lastAccess.touch(await liveOf(store, other.record.id))
    await lastAccess.flush()
    assert.equal(await lastAccess.read(other.record.id), first + 5000)
  })

  it('leaves nothing behind of a token that is deleted while it is being written', async () => {
    const { store } = observed()
    const { tokens, lastAccess } = await authority(store)
    const [one, other] = [await tokens.mint({ ttl: 10 }, LOCAL), await tokens.mint({ ttl: 10 }, LOCAL)]
    for (const { record } of [one, other]) lastAccess.touch(await liveOf(store, record.id))
    const get = store.get.bind(store)
    store.get = async (key) => {
      const token = await get(tokenKey(one.record.id))
      if (key === lastAccessKey(one.record.id) && token !== undefined)
        await store.commit({ steps: erasure(token) })
      return get(key)
    }
    await lastAccess.flush()
    store.get = get
    await lastAccess.flush()
    const left = (await keys(store)).filter((key) => key.startsWith('a/'))
    assert.deepEqual(left, [lastAccessKey(other.record.id)])
  })

  it('of thousands of tokens is written in chunks', async () => {
    const { store, seen } = observed()
    const { lastAccess } = await authority(store)
    for (let id = 1; id <= 1000; id++) {
      await store.commit({ steps: [{ key: tokenKey(String(id)), write: `{"id":"${id}"}` }] })
      lastAccess.touch(await liveOf(store, String(id)))
    }
    seen.commits.length = 0
    await lastAccess.flush()
    assert.ok(seen.commits.every(({ steps }) => steps.length <= 201))
    assert.equal((await keys(store)).filter((key) => key.startsWith('a/')).length, 1000)
  })
})

describe('the sweeper', () => {
  it('removes what ended long enough ago, with every trace but the audit log', async () => {
    const { store, tokens, lastAccess, sweeper, time } = await authority()
    const before = await keys(store)
    const expired = await tokens.mint({ ttl: 10, name: 'expired' }, LOCAL)
    const revoked = await tokens.mint({ ttl: 0, name: 'revoked' }, LOCAL)
    await tokens.revoke(revoked.record.id, LOCAL, 'test')
    lastAccess.touch(await liveOf(store, expired.record.id))
    await lastAccess.flush()
    time.now += 10_000 + 7 * DAY
    assert.equal(await sweeper.sweep(7 * DAY, never), 1) // the expired one ended 10 s later: not yet
    time.now += 1
    assert.equal(await sweeper.sweep(7 * DAY, never), 1)
    const left = (await keys(store)).filter((key) => !key.startsWith('e/') && key !== 'm/tokenids')
    assert.deepEqual(
      left,
      before.filter((key) => !key.startsWith('e/')),
    )
  })

  it('keeps what is alive, what has no end, and what ended a moment ago', async () => {
    const { tokens, sweeper, time } = await authority()
    for (const ttl of [0, 10, 1_000_000]) await tokens.mint({ ttl }, LOCAL)
    time.now += 20_000
    assert.equal(await sweeper.sweep(7 * DAY, never), 0)
  })

  it('leaves a name to the token that has it now', async () => {
    const { store, tokens, verifier, sweeper, time } = await authority()
    await tokens.mint({ ttl: 10, name: 'same' }, LOCAL)
    const { secret } = await tokens.mint({ ttl: 0, name: 'same', replace: true }, LOCAL)
    time.now += 8 * DAY
    assert.equal(await sweeper.sweep(7 * DAY, never), 1)
    assert.ok(await verifier.verify(secret.reveal()))
    assert.ok((await keys(store)).includes('n/1/same'))
  })

  it('removes thousands, in bounded steps', async () => {
    const { store, seen } = observed()
    const { tokens, sweeper, time } = await authority(store)
    await Promise.all(Array.from({ length: 1000 }, () => tokens.mint({ ttl: 1 }, LOCAL)))
    time.now += 8 * DAY
    seen.commits.length = 0
    assert.equal(await sweeper.sweep(7 * DAY, never), 1000)
    assert.ok(seen.commits.every(({ steps }) => steps.length < 20))
  })

  it('sweeps nothing because of a leap of the clock', async () => {
    const { tokens, sweeper, verifier, time } = await authority()
    const { secret } = await tokens.mint({ ttl: 10 }, LOCAL)
    time.leap = 365 * DAY
    assert.equal(await verifier.verify(secret.reveal()), undefined)
    assert.equal(await sweeper.sweep(7 * DAY, never), 0)
    time.leap = 0
    assert.ok(await verifier.verify(secret.reveal()))
  })
})
