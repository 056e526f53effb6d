import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AuditLog } from '../../src/auth/audit-log.ts'
import { tokenSignal, type UserRecord, userSignal } from '../../src/auth/records.ts'
import { Watches } from '../../src/auth/watches.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { Feed, Store } from '../../src/store/store.ts'
import { until } from '../support/daemon.ts'
import { authority, LOCAL } from '../support/parts.ts'

/** A store that does this when it is asked for news. */
function asked(inner: Store, refresh: () => void, subscribe = inner.subscribe.bind(inner)): Store {
  return {
    get: inner.get.bind(inner),
    scan: inner.scan.bind(inner),
    commit: inner.commit.bind(inner),
    snapshot: inner.snapshot.bind(inner),
    close: inner.close.bind(inner),
    writable: true,
    queued: 0,
    refresh,
    subscribe,
  }
}

/** An authority on a store whose signals come when it is asked for news, one at a time; and a token that it knows. */
async function hearsOnRequest() {
  const feeds: Feed[] = []
  const news: string[] = []
  const tell = () => {
    const next = news.shift()
    if (next !== undefined && next !== '') for (const feed of feeds) feed.signal(next)
  }
  const store = asked(memoryStore(), tell, (feed) => {
    feeds.push(feed)
    return () => {}
  })
  const parts = await authority(store)
  const { record, secret } = await parts.tokens.mint({ ttl: 0 }, LOCAL)
  const verified = await parts.verifier.verify(secret.reveal())
  if (verified === undefined) throw new Error('a new token is not accepted')
  return { ...parts, news, record, secret: secret.reveal(), live: verified.live }
}

describe('before anything that is kept is trusted, there is asked for news', () => {
  it('a revocation that was not heard of yet refuses the token', async () => {
    const { tokens, verifier, news, record, secret, live } = await hearsOnRequest()
    await tokens.revoke(record.id, LOCAL, 'test')
    news.push(tokenSignal(record))
    assert.equal(verifier.check(live), undefined)
    assert.equal(await verifier.verify(secret), undefined)
  })

  it('and so it does where the token is verified anew', async () => {
    const { tokens, verifier, news, record, secret } = await hearsOnRequest()
    await tokens.revoke(record.id, LOCAL, 'test')
    news.push(tokenSignal(record))
    assert.equal(await verifier.verify(secret), undefined)
  })

  it('news that come in between refuse nobody who was merely changed', async () => {
    const { verifier, news, record, secret } = await hearsOnRequest()
    for (let silent = 0; silent < 5; silent++) {
      news.push(...Array(silent).fill(''), tokenSignal(record))
      assert.equal((await verifier.verify(secret))?.live.record.id, record.id, `after ${silent} questions`)
      news.length = 0
    }
  })

  it('a user who was disabled is disabled', async () => {
    const { users, news } = await hearsOnRequest()
    const admin = users.find('1') as UserRecord
    news.push(userSignal('1', { ...admin, status: 'disabled' }))
    assert.equal(users.find('1')?.status, 'disabled')
    news.push(userSignal('1', null))
    assert.deepEqual(users.all(), [])
  })

  it('a watch that ends with them tells no more lines', async () => {
    const told: string[] = []
    let questions = 0
    const over = () => questions > 1
    const store = asked(memoryStore(), () => void questions++)
    for (const name of ['one', 'two', 'three'])
      await store.commit({ steps: [], append: [JSON.stringify({ event: 'token.mint', at: 1, name })] })
    const send = async (text: string) => !over() && told.push(text) > 0
    const caller = { outlet: { send, end() {}, onClose() {} }, user: { id: '1', type: 'superadmin' } }
    await new Watches(new AuditLog(store), store).begin(0, caller as never)
    await until('it is over', over)
    assert.deepEqual(
      told.map((text) => JSON.parse(text).params.name),
      ['one'],
    )
  })
})
