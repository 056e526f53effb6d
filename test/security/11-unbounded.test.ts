import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { startDaemon, until } from '../support/daemon.ts'
import { http, mint, open, webSocket } from '../support/talk.ts'

// It is about room, not about time: bodies in pieces take as long as they take.
const daemon = await startDaemon({ after }, { config: '[limits]\nbody_timeout = "10m"\n' })
const MiB = 1024 * 1024

/** The memory that the daemon holds, in bytes. */
function resident(): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

/** Resolves when so many answers have come. */
function countAnswers(socket: Socket, count: number): Promise<void> {
  let [seen, rest] = [0, '']
  return new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString('latin1')).split('\r\n\r\n')
      rest = parts.pop() as string
      seen += parts.length
      if (seen === count) resolve()
    })
  })
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

  it('pipelined requests whose answers have no body, from whoever has a token', async (t) => {
    const daemon = await startDaemon(t)
    const peak = () =>
      Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) * 1024
    const before = peak()
    const one = `GET /auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${await mint(daemon)}\r\n\r\n`
    const many = Buffer.from(one.repeat(25_000))
    const sockets = Array.from({ length: 8 }, () => open(daemon, 'tcp'))
    for (const socket of sockets) {
      socket.write(one)
      await once(socket, 'data')
    }
    // What has arrived while it stood still is taken in at once.
    daemon.process.kill('SIGSTOP')
    const answered = sockets.map((socket) => countAnswers(socket, 25_000))
    for (const socket of sockets) socket.write(many)
    await until('the kernel has taken what it takes', () =>
      sockets.every((socket) => socket.bytesWritten > MiB),
    )
    daemon.process.kill('SIGCONT')
    await Promise.all(answered)
    for (const socket of sockets) socket.destroy()
    assert.ok(peak() - before < 150 * MiB, `grew by ${Math.round((peak() - before) / MiB)} MiB`)
  })

  it('offers to upgrade, one behind the other', async () => {
    const offer = 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'
    const offers = Buffer.from(offer.repeat(1_000_000))
    const before = resident()
    const endings = Array.from({ length: 4 }, async () => {
      const socket = open(daemon, 'tcp')
      let heard = ''
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1')
      })
      socket.write(offers)
      await once(socket, 'end')
      socket.destroy()
      return heard.match(/^HTTP\/1\.1 \d+/gm)?.at(-1)
    })
    assert.deepEqual(await Promise.all(endings), Array(4).fill('HTTP/1.1 429'))
    assert.ok(resident() - before < 150 * MiB, `grew by ${Math.round((resident() - before) / MiB)} MiB`)
  })

  it('bodies in the smallest pieces', async () => {
    const pieces = Buffer.from('1\r\n \r\n'.repeat(MiB - 1))
    const before = resident()
    const sockets = Array.from({ length: 3 }, () => open(daemon, 'tcp'))
    for (const socket of sockets) {
      socket.write('POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n')
      socket.write('Transfer-Encoding: chunked\r\n\r\n')
      socket.write(pieces)
    }
    const isTaken = () => sockets.every(({ writableLength }) => writableLength === 0)
    await until('all of it has been taken', isTaken, 120_000)
    assert.equal((await http(daemon, undefined, { method: 'GET', path: '/healthz' })).status, 200)
    assert.ok(resident() - before < 300 * MiB, `grew by ${Math.round((resident() - before) / MiB)} MiB`)
    for (const socket of sockets) {
      socket.write('0\r\n\r\n')
      const [answer] = await once(socket, 'data')
      assert.match(String(answer), /^HTTP\/1\.1 400 .*"code":-32700/s)
      socket.destroy()
    }
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
