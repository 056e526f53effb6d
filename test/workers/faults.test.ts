import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { logged, type Scope, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { listenForNotices } from '../support/manager.ts'
import { needsProgram } from '../support/root.ts'
import { mint } from '../support/talk.ts'

const config = '[listen]\nworkers = 2\n'

/** A daemon whose second thread goes wrong when it is told to. */
async function startBreakable(t: Scope, way: 'throws' | 'exits' | 'hangs', env: NodeJS.ProcessEnv = {}) {
  const when = join(temporaryDirectory(t), 'now')
  const preload = join(import.meta.dirname, 'broken-thread.cjs')
  const broken = { NODE_OPTIONS: `--require ${preload}`, BREAK: way, BREAK_WHEN: when }
  const daemon = await startDaemon(t, { config, env: { ...env, ...broken } })
  return { daemon, breakNow: () => writeFileSync(when, '') }
}

describe('what goes wrong in one thread', () => {
  it('ends the daemon, as it does in the main thread, and the log says what it was', async (t) => {
    for (const [way, said] of [
      ['throws', /"level":60.*broken here/],
      ['exits', /"level":60.*the thread of worker 1 has ended/],
    ] as const) {
      const { daemon, breakNow } = await startBreakable(t, way)
      const ended = once(daemon.process, 'close')
      breakNow()
      assert.equal((await ended)[0], 70)
      await logged(daemon, said)
    }
  })

  it('is seen by the watchdog: a thread that hangs starves it', needsProgram('python3'), async (t) => {
    const { socket, notices } = await listenForNotices(t)
    const watched = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' }
    const { breakNow } = await startBreakable(t, 'hangs', watched)
    const fed = (tokens: number) =>
      notices.filter((notice) => notice.includes(`WATCHDOG=1\nSTATUS=${tokens} `)).length
    await until('it is fed', () => fed(0) > 1)
    breakNow()
    const witness = await startDaemon(t, { env: watched })
    await mint(witness)
    const start = fed(1)
    await until('the witness has fed it a while', () => fed(1) > start + 5)
    const before = fed(0)
    await until('and a while longer', () => fed(1) > start + 12)
    assert.equal(fed(0), before)
  })
})
