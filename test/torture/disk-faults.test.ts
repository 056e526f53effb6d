import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Daemon, run, type Scope, serveArguments, startDaemon, until } from '../support/daemon.ts'
import { needsRoot } from '../support/root.ts'
import { accepted, call, http, mint } from '../support/talk.ts'
import { filesOf, inject, NOT_ANEW } from './faults.ts'
import { inspectStore } from './inspection.ts'
import { Ledger } from './ledger.ts'
import { startLoad } from './load.ts'
import { judge } from './verdict.ts'

/** With one thread, one fault is one failed write; and no other write but the test's own. */
const UNDISTURBED = {
  env: { UV_THREADPOOL_SIZE: '1' },
  config: '[tokens]\nlast_access_flush = "1h"\n',
}
const RECOVERY_MS = 20_000

const UNKNOWN = /may or may not have happened: look before you try again/
const REFUSED = /The store does not take this now: try again later/

describe('a disk that fails', () => {
  const needs = needsRoot('strace')

  for (const fault of ['fdatasync', 'write']) {
    it(
      `in one ${fault} leaves one write unknown, whole or absent, and the store recovers by itself`,
      needs,
      async (t) => {
        const daemon = await startDaemon(t, UNDISTURBED)
        const ledger = new Ledger()
        const [used, unused] = [await mint(daemon), await mint(daemon)]
        assert.ok(await accepted(daemon, used))
        const logs = filesOf(daemon.stateDir, '.log')
        const faults = await inject(t, daemon, [`${fault}:error=EIO:when=1`, NOT_ANEW], logs)
        const line = ledger.open()
        await line.change(
          (secret: string | undefined) => ({ id: undefined, name: 'unknown', secret, enabled: true }),
          async () => {
            await refused(daemon, { name: 'unknown' }, UNKNOWN)
            return 'unknown'
          },
        )
        await refused(daemon, { name: 'later' }, REFUSED)
        assert.equal(await isReady(daemon), false)
        assert.ok(await accepted(daemon, used), 'from memory')
        assert.ok(await accepted(daemon, unused), 'from the disk')
        await faults.stop()
        await until('the daemon is ready again', () => isReady(daemon), RECOVERY_MS)
        assert.deepEqual(await judge(daemon, ledger), [])
        const kept = await mint(daemon)
        await daemon.stop('SIGKILL')
        assert.deepEqual(await inspectStore(daemon.stateDir), [])
        const next = await startDaemon(t, { directory: daemon.directory })
        for (const token of [used, unused, kept]) assert.ok(await accepted(next, token))
      },
    )
  }

  it('while ids are reserved is told like any other', needs, async (t) => {
    const daemon = await startDaemon(t, UNDISTURBED)
    const faults = await inject(t, daemon, 'fdatasync:error=EIO:when=1', filesOf(daemon.stateDir, '.log'))
    await refused(daemon, {}, UNKNOWN)
    await faults.stop()
  })

  it('in every sync stops writes alone, loses nothing, and is over when it ends', needs, async (t) => {
    const daemon = await startDaemon(t)
    const ledger = new Ledger()
    const token = await mint(daemon)
    const load = await startLoad(daemon, ledger)
    try {
      await until('some work is done', () => ledger.acknowledged > 100)
      const faults = await inject(t, daemon, 'fdatasync,fsync:error=EIO')
      await until('writes are refused', async () => !(await isReady(daemon)))
      await refused(daemon, {}, REFUSED)
      assert.ok(await accepted(daemon, token))
      const { acknowledged } = ledger
      await faults.stop()
      await until('the daemon is ready again', () => isReady(daemon), RECOVERY_MS)
      await until('work goes on', () => ledger.acknowledged > acknowledged + 50)
    } finally {
      await load.stop()
    }
    assert.ok(ledger.unknown > 0)
    assert.deepEqual(await judge(daemon, ledger), [])
    await daemon.stop('SIGKILL')
    assert.deepEqual(await inspectStore(daemon.stateDir), [])
  })

  it('in reading is no reason to throw anything away: tokens are back when it ends', needs, async (t) => {
    const daemon = await startDaemon(t, { directory: await withTable(t) })
    const tokens = [await mint(daemon), await mint(daemon)]
    const unused = await mint(daemon)
    for (const token of tokens) assert.ok(await accepted(daemon, token))
    // What is open is read from memory: only a database that is opened anew reads files.
    const paths = [...filesOf(daemon.stateDir, '.ldb'), ...filesOf(daemon.stateDir, '.log')]
    const faults = await inject(t, daemon, ['fdatasync:error=EIO:when=1', NOT_ANEW], paths)
    await refused(daemon, {}, UNKNOWN)
    await until('it is tried to open it anew', () => faults.seen().includes('openat'), RECOVERY_MS)
    const { status } = await call(daemon, 'Auth.WhoAmI', undefined, { token: unused })
    assert.ok(status === 200 || status === 503, String(status))
    await refused(daemon, {}, REFUSED)
    await faults.stop()
    await until('the daemon is ready again', () => isReady(daemon), RECOVERY_MS)
    for (const token of [...tokens, unused]) assert.ok(await accepted(daemon, token))
  })

  for (const [ending, when] of [
    ['.ldb', '1+'],
    ['.ldb', '2+'],
    ['.log', '1+'],
  ] as const) {
    it(
      `in reading a ${ending} (from ${when}) at the start refuses the start, and throws nothing away`,
      needs,
      async (t) => {
        const directory = await withTable(t)
        const before = await startDaemon(t, { directory })
        const token = await mint(before)
        await before.stop('SIGKILL')
        const paths = filesOf(join(directory, 'state'), ending).flatMap((path) => ['-P', path])
        const strace = [
          '-f',
          '-o',
          '/dev/null',
          '-e',
          'trace=openat',
          '-e',
          `inject=openat:error=EIO:when=${when}`,
        ]
        const start = ['timeout', '--signal=KILL', '20', process.execPath, ...serveArguments(directory)]
        const { code, stderr } = await run('strace', [...strace, ...paths, ...start])
        assert.match(stderr, /^postern: .+\nhint: .+\n$/)
        assert.equal(code, 1)
        assert.ok(await accepted(await startDaemon(t, { directory }), token))
      },
    )
  }
})

/** Where a daemon has lived whose tokens the next one puts in a table. */
async function withTable(t: Scope): Promise<string> {
  const daemon = await startDaemon(t)
  await mint(daemon)
  await daemon.stop()
  return daemon.directory
}

async function isReady(daemon: Daemon): Promise<boolean> {
  return (await http(daemon, undefined, { method: 'GET', path: '/readyz' })).status === 200
}

async function refused(daemon: Daemon, params: object, why: RegExp): Promise<void> {
  const { status, json } = await call(daemon, 'Auth.CreateApiToken', { ttl: 60, ...params })
  assert.deepEqual([status, json.error?.code], [503, -32053], JSON.stringify(json))
  assert.match(json.error?.data ?? '', why)
}
