import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Daemon, startDaemon, until } from '../support/daemon.ts'
import { needsRoot } from '../support/root.ts'
import { accepted, call, http, mint } from '../support/talk.ts'
import { DISK_PROGRAMS, Disk } from './disk.ts'
import { inspectStore } from './inspection.ts'
import { Ledger } from './ledger.ts'
import { startLoad } from './load.ts'
import { judge } from './verdict.ts'

const DISK_MIB = 64
/** How long a daemon may take to see that there is space again. */
const RECOVERY_MS = 20_000

describe('a full disk', () => {
  const needs = needsRoot(...DISK_PROGRAMS)

  it('stops writes alone, loses nothing, and is over when there is space again', needs, async (t) => {
    const disk = Disk.make(t, DISK_MIB)
    const daemon = await startDaemon(t, { directory: disk.directory })
    const ledger = new Ledger()
    const [used, unused] = [await mint(daemon), await mint(daemon)]
    assert.ok(await accepted(daemon, used))
    const load = await startLoad(daemon, ledger)
    try {
      await until('some work is done', () => ledger.acknowledged > 100)
      fill(disk)
      await until('writes are refused', async () => !(await isReady(daemon)), RECOVERY_MS)
      await refusesWrites(daemon)
      assert.ok(await accepted(daemon, used), 'from memory')
      assert.ok(await accepted(daemon, unused), 'from the disk')
      const { acknowledged } = ledger
      empty(disk)
      await until('the daemon is ready again', () => isReady(daemon), RECOVERY_MS)
      await until('work goes on', () => ledger.acknowledged > acknowledged + 50)
    } finally {
      await load.stop()
    }
    assert.deepEqual(await judge(daemon, ledger), [])
    await daemon.stop('SIGKILL')
    assert.deepEqual(await inspectStore(disk.stateDir), [])
    const next = await startDaemon(t, { directory: disk.directory })
    assert.deepEqual(await judge(next, ledger), [])
    await next.stop()
  })

  it(
    'is no obstacle to a start: tokens are verified, and writes taken again once there is space',
    needs,
    async (t) => {
      const disk = Disk.make(t, DISK_MIB)
      const { directory } = disk
      const first = await startDaemon(t, { directory })
      const token = await mint(first)
      await until('there is a ballast', () => existsSync(join(disk.stateDir, 'ballast')))
      await first.stop('SIGKILL')
      fill(disk)
      const second = await startDaemon(t, { directory })
      assert.ok(await accepted(second, token))
      assert.equal(await isReady(second), false)
      await refusesWrites(second)
      assert.ok(!existsSync(join(disk.stateDir, 'ballast')))
      empty(disk)
      await until('the daemon is ready again', () => isReady(second), RECOVERY_MS)
      assert.ok(await accepted(second, await mint(second)))
      assert.ok(await accepted(second, token))
      await until('there is a ballast again', () => existsSync(join(disk.stateDir, 'ballast')))
      assert.equal(await second.stop(), 0)
      assert.deepEqual(await inspectStore(disk.stateDir), [])
    },
  )
})

async function isReady(daemon: Daemon): Promise<boolean> {
  const { status } = await http(daemon, undefined, { method: 'GET', path: '/readyz' })
  assert.ok(status === 200 || status === 503, String(status))
  return status === 200
}

async function refusesWrites(daemon: Daemon): Promise<void> {
  const { status, json } = await call(daemon, 'Auth.CreateApiToken', { ttl: 60 })
  assert.deepEqual([status, json.error?.code], [503, -32053], JSON.stringify(json))
  assert.match(json.error?.data ?? '', /The store does not take this now: try again later\./)
}

/** With a file of somebody else's, to the last byte. */
function fill(disk: Disk): void {
  const file = openSync(join(disk.stateDir, 'filler'), 'w')
  try {
    for (const size of [1024 * 1024, 4096, 1]) writeUntilFull(file, Buffer.alloc(size, 1))
  } finally {
    closeSync(file)
  }
}

function writeUntilFull(file: number, chunk: Buffer): void {
  try {
    for (;;) writeSync(file, chunk)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

function empty(disk: Disk): void {
  rmSync(join(disk.stateDir, 'filler'))
}
