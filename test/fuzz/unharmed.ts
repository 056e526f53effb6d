import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { type Daemon, until } from '../support/daemon.ts'
import { accepted, call, http } from '../support/talk.ts'

/** Files, sockets and pipes that a daemon has open. */
export function descriptors({ pid }: Pick<Daemon, 'pid'>): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** What bad calls must leave behind: the same process, in good health, that has nothing to complain about. */
export async function assertUnharmed(daemon: Daemon): Promise<void> {
  assert.deepEqual([daemon.process.exitCode, daemon.process.signalCode], [null, null], daemon.log())
  assert.equal(daemon.process.pid, daemon.pid)
  for (const door of ['unix', 'tcp'] as const)
    assert.equal((await http(daemon, undefined, { door, method: 'GET', path: '/readyz' })).status, 200)
  assert.deepEqual(daemon.log().split('\n').filter(isFault), [])
}

/** After raw bytes as well: calls are served on both doors, and nothing is left open. */
export async function assertRecovered(daemon: Daemon, token: string, openBefore: number): Promise<void> {
  await assertUnharmed(daemon)
  for (const door of ['unix', 'tcp'] as const)
    assert.equal((await call(daemon, 'Auth.WhoAmI', undefined, { door, token })).status, 200)
  assert.equal(await accepted(daemon, `${token}x`), false)
  await until('all that was opened is closed', () => descriptors(daemon) <= openBefore)
}

/** What the daemon itself did wrong: of level error, or something that nobody caught. */
function isFault(line: string): boolean {
  if (line === '') return false
  if (!line.startsWith('{')) return true
  const { level } = JSON.parse(line) as { level: number | string }
  return (
    level === 'error' ||
    level === 'fatal' ||
    Number(level) >= 50 ||
    /\bfailed|uncaught|unhandled|Warning\b/.test(line)
  )
}
