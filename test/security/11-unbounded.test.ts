import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { http, open, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const MiB = 1024 * 1024

/** The memory that the daemon holds, in bytes. */
function resident(): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

describe('pitfall 11: whatever a stranger can make grow is bounded', {
  skip: process.platform !== 'linux' && 'reads /proc',
}, () => {
  const batch = `[${Array(1000).fill('1').join()}]`

  it('batches of batches from many connections that read', async (t) => {
    const before = resident()
    const clients = await Promise.all(Array.from({ length: 20 }, () => webSocket(t, daemon, { door: 'tcp' })))
    for (const { ws } of clients) for (let n = 0; n < 100; n++) ws.send(batch)
    let most = 0
    for (const client of clients) {
      for (let n = 0; n < 100; n++) await client.next()
      most = Math.max(most, resident())
      client.ws.terminate()
    }
    assert.ok(most - before < 300 * MiB, `grew by ${Math.round((most - before) / MiB)} MiB`)
  })

  it('batches from connections that never read, and nothing is done for them when they are gone', async () => {
    const before = resident()
    const sockets = Array.from({ length: 20 }, () => open(daemon))
    for (const socket of sockets) {
      socket.on('error', () => {})
      socket.pause()
      socket.write(`${batch}\n`.repeat(300))
    }
    assert.equal((await http(daemon, undefined, { method: 'GET', path: '/healthz' })).status, 200)
    for (const socket of sockets) socket.destroy()
    assert.equal((await http(daemon, undefined, { method: 'GET', path: '/healthz' })).status, 200)
    assert.ok(resident() - before < 300 * MiB, `grew by ${Math.round((resident() - before) / MiB)} MiB`)
  })

  it('pipelined HTTP batches from connections that never read', async () => {
    const calls = `[${Array(1000).fill('{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}').join()}]`
    const head = `POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${calls.length}\r\n\r\n`
    const ten = Buffer.from((head + calls).repeat(10))
    const before = resident()
    const sockets = Array.from({ length: 30 }, () => open(daemon, 'tcp'))
    for (const socket of sockets) {
      socket.on('error', () => {})
      socket.pause()
      for (let n = 0; n < 20; n++) socket.write(ten)
    }
    let most = 0
    for (let n = 0; n < 25; n++) {
      assert.equal((await http(daemon, undefined, { method: 'GET', path: '/healthz' })).status, 200)
      most = Math.max(most, resident())
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    for (const socket of sockets) socket.destroy()
    assert.ok(most - before < 200 * MiB, `grew by ${Math.round((most - before) / MiB)} MiB`)
  })

  it('a body of a hundred thousand keys is answered like any other', async () => {
    const keys = Array.from({ length: 90_000 }, (_, n) => `"k${n}":0`).join()
    const { status } = await http(
      daemon,
      `{"jsonrpc":"2.0","method":"Auth.CreateApiToken","id":1,"params":{${keys}}}`,
    )
    assert.equal(status, 400)
  })

  it('1,001 calls in one batch are refused, and a text that nests 100,000 deep', async () => {
    const call = '{"jsonrpc":"2.0","method":"none","id":1}'
    for (const [text, named] of [
      [`[${Array(1_001).fill(call).join()}]`, 'batch holds 1001'],
      [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'nests deeper than 64'],
    ] as const) {
      const { status, body } = await http(daemon, text)
      assert.deepEqual([status, JSON.parse(body).error.code], [400, -32600])
      assert.ok(body.includes(named), body)
    }
    assert.equal((await http(daemon, `[${Array(1_000).fill(call).join()}]`)).status, 200)
  })

  it('a million keys are refused by the size of the body, and by name where that is raised', async (t) => {
    const keys = Array.from({ length: 1_000_000 }, (_, n) => `"k${n}":0`).join()
    const text = `{"jsonrpc":"2.0","method":"Auth.CreateApiToken","id":1,"params":{${keys}}}`
    assert.equal((await http(daemon, text)).status, 413)
    const generous = await startDaemon(t, { config: '[limits]\nbody = "16MiB"\n' })
    const { status, body } = await http(generous, text)
    assert.deepEqual([status, JSON.parse(body).error.code], [400, -32602])
    const [, kilobytes] =
      /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${generous.pid}/status`, 'utf8')) ?? []
    assert.ok(Number(kilobytes) < 600 * 1024, `${kilobytes} kB`)
  })
})
