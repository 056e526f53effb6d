import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import WebSocket from 'ws'
import { type Daemon, logged, type Scope, startDaemon, until } from '../support/daemon.ts'
import { listenForNotices } from '../support/manager.ts'
import { needsProgram } from '../support/root.ts'
import { mint } from '../support/talk.ts'

const config = '[listen]\nworkers = 2\n'
const DEBUGGED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' }

/** Runs a piece of JavaScript in a daemon's second thread, by way of Node's debugger. */
async function runInThread(t: Scope, daemon: Daemon, expression: string): Promise<void> {
  const listening = /Debugger listening on (ws:\S+)/
  await logged(daemon, listening)
  const [, url] = listening.exec(daemon.log()) ?? []
  const ws = new WebSocket(url as string)
  t.after(() => ws.terminate())
  ws.on('error', () => {})
  await once(ws, 'open')
  const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } })
  const send = (method: string, params: object) => ws.send(JSON.stringify({ id: 1, method, params }))
  await new Promise<void>((resolve) => {
    ws.on('message', (data) => {
      const { method, params } = JSON.parse(String(data))
      if (method === 'NodeWorker.attachedToWorker')
        send('NodeWorker.sendMessageToWorker', { sessionId: params.sessionId, message })
      if (method === 'NodeWorker.receivedMessageFromWorker') resolve()
    })
    send('NodeWorker.enable', { waitForDebuggerOnStart: false })
  })
  ws.terminate() // the end of a process waits for its debugger's
}

describe('what goes wrong in one thread', () => {
  it('ends the daemon, as it does in the main thread, and the log says what it was', async (t) => {
    for (const [fault, said] of [
      ['setTimeout(() => { throw new Error("broken here") }, 50)', /"level":60.*broken here/],
      ['setTimeout(() => process.exit(0), 50)', /"level":60.*the thread of worker 1 has ended/],
    ] as const) {
      const daemon = await startDaemon(t, { config, env: DEBUGGED })
      const ended = once(daemon.process, 'close')
      await runInThread(t, daemon, fault)
      assert.equal((await ended)[0], 70)
      await logged(daemon, said)
    }
  })

  it('is seen by the watchdog: a thread that hangs starves it', needsProgram('python3'), async (t) => {
    const { socket, notices } = await listenForNotices(t)
    const watched = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' }
    const daemon = await startDaemon(t, { config, env: { ...DEBUGGED, ...watched } })
    const fed = (tokens: number) =>
      notices.filter((notice) => notice.includes(`WATCHDOG=1\nSTATUS=${tokens} `)).length
    await until('it is fed', () => fed(0) > 1)
    await runInThread(t, daemon, 'setTimeout(() => { for (;;); }, 50)')
    const witness = await startDaemon(t, { env: watched })
    await mint(witness)
    const start = fed(1)
    await until('the witness has fed it a while', () => fed(1) > start + 5)
    const before = fed(0)
    await until('and a while longer', () => fed(1) > start + 12)
    assert.equal(fed(0), before)
  })
})
