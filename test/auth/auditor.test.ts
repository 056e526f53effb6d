import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { AuditKey, ChainVerifier, type Checkpoint } from '../../src/auth/audit-chain.ts'
import { AuditLog } from '../../src/auth/audit-log.ts'
import { Auditor } from '../../src/auth/auditor.ts'
import { Ledger } from '../../src/auth/ledger.ts'
import { DAEMON } from '../../src/auth/records.ts'
import { Clock } from '../../src/store/clock.ts'
import { openStateDirectory } from '../../src/store/directory.ts'
import { type Scope, temporaryDirectory } from '../support/daemon.ts'

const RETAIN = 1000

/** The keeper of an audit log on a real store, and a clock set by hand. */
async function parts(t: Scope) {
  const directory = await openStateDirectory(join(temporaryDirectory(t), 'state'))
  t.after(() => void directory.close())
  const { store } = directory
  /** `now` passes on both of the machine's clocks; `leap` is how far the wall clock is off. */
  const time = { now: 1_800_000_000_000, leap: 0 }
  const clock = new Clock(
    undefined,
    { wall: () => time.now + time.leap, monotonic: () => time.now },
    () => {},
  )
  const ledger = new Ledger(store, clock)
  const log = new AuditLog(store)
  const key = new AuditKey(randomBytes(32))
  const auditor = new Auditor({ ledger, log, clock, key })
  return {
    log,
    auditor,
    time,
    async write(lines: number) {
      const audit = Array.from({ length: lines }, () => ({ event: 'token.mint', by: DAEMON }) as const)
      await ledger.commit({ steps: [], audit })
    },
    async first() {
      return (await log.chain(0, 1))[0]?.seq
    },
    async faults(kept?: Checkpoint) {
      const verifier = new ChainVerifier(key.publicKey, kept)
      for (let after = 0; ; ) {
        const page = await log.chain(after, 1000)
        for (const line of page) verifier.add(line)
        const last = page.at(-1)
        if (last === undefined) return [...verifier.end()]
        after = last.seq
      }
    },
  }
}

const go = new AbortController().signal

describe('the audit log is cut', () => {
  it('at the last checkpoint that is old enough, again and again, and verifies each time', async (t) => {
    const { auditor, write, time, first, faults } = await parts(t)
    for (let round = 0; round < 5; round++) {
      await write(700)
      const kept = await auditor.checkpoint()
      await write(3)
      time.now += 2 * RETAIN
      await auditor.cut(RETAIN, go)
      assert.equal(await first(), kept.seq + 1)
      assert.deepEqual(await faults(), [])
      assert.deepEqual(await faults(kept), [], 'against the one at which it was cut')
      await auditor.cut(RETAIN, go)
      assert.equal(await first(), kept.seq + 1)
    }
  })

  it('not where no checkpoint is old enough, and never a line that none covers', async (t) => {
    const { auditor, write, time, first } = await parts(t)
    await write(10)
    time.now += 2 * RETAIN
    await auditor.cut(RETAIN, go)
    assert.equal(await first(), 1)
    await auditor.checkpoint()
    await auditor.cut(RETAIN, go)
    assert.equal(await first(), 1)
  })

  it('and is whole when the daemon was stopped in the middle of it, and goes on later', async (t) => {
    const { auditor, write, time, first, faults } = await parts(t)
    await write(1200)
    await auditor.checkpoint()
    time.now += 2 * RETAIN
    const stop = new AbortController()
    const cutting = auditor.cut(RETAIN, stop.signal)
    while ((await first()) === 1) await new Promise((resolve) => setImmediate(resolve))
    stop.abort()
    await cutting
    assert.ok(((await first()) ?? 0) > 1)
    assert.deepEqual(await faults(), [])
    await auditor.cut(RETAIN, go)
    assert.deepEqual([await first(), await faults()], [1201, []])
  })

  it('and verifies although somebody asked for checkpoints meanwhile', async (t) => {
    const { auditor, write, time, faults } = await parts(t)
    for (let round = 0; round < 5; round++) {
      await write(20)
      await auditor.checkpoint()
      time.now += 2 * RETAIN
      let done = false
      const cutting = auditor.cut(RETAIN, go).finally(() => {
        done = true
      })
      const asked: Promise<unknown>[] = []
      while (!done) {
        // Bounded: each waits for its turn, and the cut for its own among them.
        if (asked.length < 50) asked.push(auditor.checkpoint())
        await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all([cutting, ...asked])
      assert.deepEqual(await faults(), [], `in round ${round}`)
    }
  })

  it('and verifies against a checkpoint that was kept between two cuts', async (t) => {
    const { auditor, write, time, faults } = await parts(t)
    const round = async () => {
      await write(20)
      await auditor.checkpoint()
      time.now += 2 * RETAIN
      await auditor.cut(RETAIN, go)
    }
    await round()
    const kept = await auditor.checkpoint()
    assert.deepEqual(await faults(kept), [])
    await round()
    assert.deepEqual(await faults(), [])
    assert.deepEqual(await faults(kept), [])
  })
})

describe('a checkpoint', () => {
  it('is signed when there is something to sign, at the end and every thousand lines, and not otherwise', async (t) => {
    const { auditor, log, write, time } = await parts(t)
    await auditor.sign({ now: true })
    assert.equal((await log.head()).appended, 0)
    await write(999)
    await auditor.sign()
    assert.equal((await log.head()).appended, 999)
    await write(1)
    await auditor.sign()
    assert.equal((await log.head()).appended, 1001)
    time.now += 7_200_000
    for (const now of [false, true]) await auditor.sign({ now })
    assert.equal((await log.head()).appended, 1001)
    await write(1)
    await auditor.sign()
    assert.equal((await log.head()).appended, 1003)
  })

  it('is signed, and the log cut at it, however many lines nobody has signed', async (t) => {
    const { auditor, log, write, time, first } = await parts(t)
    for (let n = 0; n < 210; n++) await write(1_000) // more than a question may look at
    await auditor.sign()
    const { appended } = await log.head()
    assert.equal(appended, 210_001)
    time.now += 2 * RETAIN
    await auditor.cut(RETAIN, go)
    assert.equal(await first(), appended)
  })

  it('is signed each hour, also after a clock that was far ahead for a while', async (t) => {
    const { auditor, log, write, time } = await parts(t)
    const signs = async () => {
      const { appended } = await log.head()
      await auditor.sign()
      return (await log.head()).appended > appended
    }
    await auditor.sign()
    await write(1)
    time.now += 3_600_000
    assert.ok(await signs())
    time.leap = 365 * 86_400_000
    await write(1)
    time.now += 3_600_000
    assert.ok(await signs())
    time.leap = 0
    await write(1)
    time.now += 3_600_000
    assert.ok(await signs(), 'an hour after the clock was put right')
  })

  it('does not keep old lines from being cut because one was written while the clock was far ahead', async (t) => {
    const { auditor, write, time, first } = await parts(t)
    await write(1)
    time.leap = 365 * 86_400_000
    await write(1)
    time.leap = 0
    await write(1)
    const { seq } = await auditor.checkpoint()
    time.now += 2 * RETAIN
    await auditor.cut(RETAIN, go)
    assert.equal(await first(), seq + 1)
  })
})
