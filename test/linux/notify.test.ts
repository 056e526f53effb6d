import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { findServiceManager } from '../../src/linux/notify.ts'
import { run, serveArguments, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { listenForNotices } from '../support/manager.ts'
import { needsProgram } from '../support/root.ts'
import { mint } from '../support/talk.ts'

const python = needsProgram('python3')

describe('the service manager is told', python, () => {
  it('that the doors are open, then how it goes, and that they close', async (t) => {
    const { socket, notices } = await listenForNotices(t)
    const daemon = await startDaemon(t, { env: { NOTIFY_SOCKET: socket } })
    await until('it is told', () => notices.length > 1)
    assert.equal(notices[0], 'READY=1')
    assert.match(notices[1] ?? '', /^WATCHDOG=1\nSTATUS=0 tokens, \d+ users, 0 connections$/)
    await mint(daemon)
    assert.equal(await daemon.stop(), 0)
    await until('it is told', () => notices.includes('STOPPING=1'))
    assert.equal(notices.filter((notice) => notice.startsWith('READY=1')).length, 1)
  })

  it('in the abstract namespace too', async (t) => {
    const { socket, notices } = await listenForNotices(t, `@postern-test-${process.pid}`)
    await startDaemon(t, { env: { NOTIFY_SOCKET: socket } })
    await until('it is told', () => notices.some((notice) => notice.startsWith('READY=1')))
  })

  it('as often as its watchdog wants to hear, with counts', async (t) => {
    const { socket, notices } = await listenForNotices(t)
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' }
    const daemon = await startDaemon(t, { env })
    await mint(daemon)
    await until(
      'it is fed, again and again',
      () => notices.filter((notice) => notice.startsWith('WATCHDOG=1')).length > 5,
    )
    await until('the token is counted', () =>
      (notices.at(-1) ?? '').startsWith('WATCHDOG=1\nSTATUS=1 tokens, '),
    )
  })

  it('nothing by a daemon that hangs', async (t) => {
    const { socket, notices } = await listenForNotices(t)
    const daemon = await startDaemon(t, { env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '50000' } })
    await until('it is fed', () => notices.length > 2)
    process.kill(daemon.pid, 'SIGSTOP')
    const witness = await startDaemon(t, { env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '50000' } })
    await mint(witness)
    const fed = (tokens: number) =>
      notices.filter((notice) => notice.includes(`STATUS=${tokens} tokens`)).length
    await until('the witness has fed it', () => fed(1) > 0)
    const before = fed(0)
    await until('and again', () => fed(1) > 5)
    assert.equal(fed(0), before)
    process.kill(daemon.pid, 'SIGCONT')
    await until('it is fed by the other one as well', () => fed(0) > before)
  })

  it('nothing by a daemon that cannot start', async (t) => {
    const { socket, notices } = await listenForNotices(t)
    const directory = temporaryDirectory(t)
    const args = serveArguments(
      directory,
      `[[remote]]\nlisten = "127.0.0.1:0"\ncert = "${join(directory, 'no')}"\nkey = "/no"\n`,
    )
    const { code } = await run(process.execPath, args, { env: { NOTIFY_SOCKET: socket } })
    assert.equal(code, 1)
    await startDaemon(t, { env: { NOTIFY_SOCKET: socket } })
    await until('another one is there', () => notices.length > 1)
    assert.equal(notices.filter((notice) => notice.startsWith('READY=1')).length, 1)
  })
})

it('a daemon whose manager does not listen, or is nowhere, serves all the same', async (t) => {
  const long = `/${'x'.repeat(200)}`
  for (const NOTIFY_SOCKET of [join(temporaryDirectory(t), 'nobody'), 'relative', '', long])
    await mint(await startDaemon(t, { env: { NOTIFY_SOCKET, WATCHDOG_USEC: 'nonsense' } }))
})

it('the variables are taken out of the environment, and a watchdog of another process is not ours', () => {
  for (const [pid, due] of [
    [process.pid, 3000],
    [1, undefined],
  ]) {
    const env = {
      NOTIFY_SOCKET: '/nowhere',
      WATCHDOG_USEC: '3000000',
      WATCHDOG_PID: String(pid),
      PATH: '/bin',
    }
    assert.equal(findServiceManager(env).watchdogMs, due)
    assert.deepEqual(env, { PATH: '/bin' })
  }
})
