import assert from 'node:assert/strict'
import type { Daemon } from '../support/daemon.ts'
import { http } from '../support/talk.ts'

/** What a call that was merely wrong must leave behind: the same process, in good health, that has nothing to complain about. */
export async function assertUnharmed(daemon: Daemon): Promise<void> {
  assert.deepEqual([daemon.process.exitCode, daemon.process.signalCode], [null, null], daemon.log())
  assert.equal(daemon.process.pid, daemon.pid)
  const { status } = await http(daemon, undefined, { method: 'GET', path: '/readyz' })
  assert.equal(status, 200)
  assert.doesNotMatch(daemon.log(), /a call failed|uncaught|unhandled|"level":[56]0/)
}
