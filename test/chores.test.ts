import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import pino from 'pino'
import { personalKey } from '../src/auth/records.ts'
import { openAuthority } from '../src/authority.ts'
import { ChoreQueue } from '../src/chore-queue.ts'
import { startChores } from '../src/chores.ts'
import { loadConfig } from '../src/config.ts'
import { RefusalLog } from '../src/server/refusal-log.ts'
import { memoryStore } from '../src/store/memory.ts'
import { type Commit, type Store, Unavailable } from '../src/store/store.ts'
import { temporaryDirectory, until } from './support/daemon.ts'
import { LOCAL } from './support/parts.ts'

const log = pino({ level: 'silent' })

/** A store whose writes go by the test's word: undefined lets one through. */
function guarded(word: (commit: Commit) => Promise<boolean> | undefined): Store {
  const store = memoryStore()
  const commit = store.commit.bind(store)
  return Object.assign(store, { commit: (one: Commit) => word(one) ?? commit(one) })
}

async function authorityOn(store: Store) {
  const time = { now: 1_800_000_000_000 }
  const source = { wall: () => time.now, monotonic: () => time.now }
  const policy = () => ({ rate: undefined, flush: 5_000 })
  const options = { cacheSize: 100, log, time: source, policy }
  return { time, ...(await openAuthority({ store, pepper: randomBytes(32) }, options)) }
}

describe('chores', () => {
  it('tell that a token has ended although its last access is still being written', async (t: TestContext) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let isWriting = false
    let goOn = () => {}
    const written = new Promise<boolean>((resolve) => {
      goOn = () => resolve(true)
    })
    const store = guarded(({ steps }) => {
      if (!steps.some(({ key }) => key.startsWith('a/'))) return undefined
      isWriting = true
      return written
    })
    const { time, ...authority } = await authorityOn(store)
    const { tokens, verifier, lastAccess, audit } = authority
    const { secret } = await tokens.mint({ ttl: 60 }, LOCAL)
    const found = await verifier.verify(secret.reveal())
    assert.ok(found)
    lastAccess.touch(found.live)
    const { config } = loadConfig({ stateDir: temporaryDirectory(t), config: '/dev/null' }, 'client', {})
    const refusals = new RefusalLog(log)
    const chores = startChores({ ...authority, store, refusals, log, config: () => config })
    t.mock.timers.tick(1_000) // what ended before this was ever looked for is not told
    t.mock.timers.tick(config.tokens.last_access_flush)
    await until('it is being written', () => isWriting)
    time.now += 70_000
    t.mock.timers.tick(1_000)
    const told = async () => (await audit.chain(0, 100)).some(({ line }) => line.includes('"token.expire"'))
    await until('it is told', told)
    goOn()
    await chores.stop()
  })

  it('wait for their turn once, and are done again when that has begun', async () => {
    const queue = new ChoreQueue(log)
    let goOn = () => {}
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let done = 0
    const other = queue.chore('other', () => held)
    const chore = queue.chore('chore', async () => {
      if (++done === 1) chore() // it has begun: what comes now is for the next time
    })
    other()
    for (let n = 0; n < 10; n++) chore()
    goOn()
    await queue.settle()
    await queue.settle()
    assert.equal(done, 2)
  })

  it('keep the last use of a personal signed token until it could be written', async () => {
    let isFull = false
    const store = guarded(({ lossy }) =>
      isFull && lossy === true ? Promise.reject(new Unavailable('the store is failed')) : undefined,
    )
    const { ledger, personalTokens, clock } = await authorityOn(store)
    const ids = ['one', 'two', 'three']
    const at = { issued_at: 0, expires_at: 1e15, revoked_at: null, last_used_at: null }
    const steps = ids.map((jti) => ({
      key: personalKey(jti),
      write: JSON.stringify({ jti, user: '1', label: '', config: 'AI', ...at }),
    }))
    await ledger.commit({ steps, audit: [] })
    for (const jti of ids) personalTokens.touch(jti)
    isFull = true
    await assert.rejects(personalTokens.flush())
    isFull = false
    await personalTokens.flush()
    for (const jti of ids) assert.equal((await personalTokens.recordOf(jti))?.last_used_at, clock.now())
  })
})
