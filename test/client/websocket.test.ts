import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import { type ConnectOptions, connect, OutcomeUnknown, type TokenEvent } from '../../src/client/index.ts'
import { type Scope, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { freePort } from '../support/gates.ts'
import { call, mint } from '../support/talk.ts'

function open(t: Scope, port: number, options: ConnectOptions) {
  const client = connect({ url: `ws://127.0.0.1:${port}/api/`, ...options })
  t.after(() => client.close())
  return client
}

/** A WebSocket server that is no daemon: it says what one seldom does. */
async function imposter(t: Scope, talk: (ws: WebSocket, message: { id: number; method: string }) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  t.after(() => {
    for (const ws of server.clients) ws.terminate()
    server.close()
  })
  let connections = 0
  server.on('connection', (ws) => {
    connections++
    ws.on('message', (text) => talk(ws, JSON.parse(String(text))))
  })
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

describe('a client over a WebSocket', () => {
  it('makes calls side by side, and hears notifications', async (t) => {
    const daemon = await startDaemon(t)
    const client = open(t, daemon.port, { token: await mint(daemon) })
    const heard: TokenEvent[] = []
    const end = client.on('token.watch', (event: TokenEvent) => heard.push(event))
    const [{ after }, who] = await Promise.all([client.call('token.watch'), client.call('Auth.WhoAmI')])
    assert.equal(who.type, 'superadmin')
    await client.notify('token.create', [{ name: 'noted' }])
    await until('it is heard', () => heard.length === 1)
    const [first] = heard
    assert.ok(first !== undefined && 'number' in first && first.name === 'noted')
    assert.equal(first.number, after + 1)
    end()
    await client.call('token.create', { name: 'unheard' })
    await assert.rejects(client.call('Auth.WhoAmI', { a: 1 } as never), { code: -32602 })
    assert.equal(heard.length, 1)
  })

  it('comes back when the daemon was killed and started again', async (t) => {
    const first = await startDaemon(t, { port: await freePort() })
    const token = await mint(first)
    await first.stop()
    const client = open(t, first.port, { token })
    let [connected, disconnected] = [0, 0]
    client.on('connected', () => connected++)
    client.on('disconnected', () => disconnected++)
    const waiting = client.call('Auth.WhoAmI') // nobody is there
    const second = await startDaemon(t, { directory: first.directory, port: first.port })
    assert.equal((await waiting).type, 'superadmin')
    await second.stop('SIGKILL')
    await until('it is noticed', () => disconnected === 1)
    const other = client.call('Auth.WhoAmI')
    await startDaemon(t, { directory: first.directory, port: first.port })
    assert.equal((await other).type, 'superadmin')
    assert.equal(connected, 2)
  })

  it('rejects calls in flight when the connection breaks, and makes none of them again', async (t) => {
    const seen: string[] = []
    const { port, connections } = await imposter(t, (ws, { id, method }) => {
      seen.push(method)
      if (method === 'break') ws.terminate()
      if (method === 'answer') ws.send(JSON.stringify({ jsonrpc: '2.0', id, result: 'there' }))
    })
    const client = open(t, port, {})
    const inFlight = [client.call('first'), client.call('break')]
    for (const outcome of await Promise.allSettled(inFlight)) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof OutcomeUnknown)
      assert.match(outcome.reason.message, /whether the call took effect is unknown/)
    }
    assert.equal(await client.call('answer'), 'there')
    assert.deepEqual([seen, connections()], [['first', 'break', 'answer'], 2])
  })

  it('bounds calls in time: in flight, and while it has no connection', async (t) => {
    const { port } = await imposter(t, () => {})
    const client = open(t, port, { timeout: 100 })
    // Until then a call that is late was not even sent.
    await new Promise<void>((resolve) => void client.on('connected', resolve))
    await assert.rejects(client.call('a.b'), { name: 'OutcomeUnknown' })
    await assert.rejects(open(t, 1, { timeout: 100 }).call('a.b'), { name: 'Unreachable' })
  })

  it('bounds the calls that wait for a connection in number', async (t) => {
    const client = open(t, 1, {})
    const calls = Array.from({ length: 1_001 }, () => client.call('a.b').catch((error: Error) => error))
    const last = (await calls.at(-1)) as Error
    assert.match(last.message, /1000 calls wait for a connection already: the call was not made/)
    client.close()
    for (const error of await Promise.all(calls)) assert.equal((error as Error).name, 'Unreachable')
  })

  it('reads its token file again when its token has ended: 4401, or 401 at the upgrade', async (t) => {
    const daemon = await startDaemon(t)
    const file = join(temporaryDirectory(t), 'token')
    const [old, next] = [await mint(daemon), await mint(daemon)]
    writeFileSync(file, old)
    const client = open(t, daemon.port, { tokenFile: file })
    const before = await client.call('Auth.WhoAmI')
    let disconnected = 0
    client.on('disconnected', () => disconnected++)
    writeFileSync(file, next)
    await call(daemon, 'Auth.RevokeApiToken', undefined, { token: old })
    await until('it is disconnected', () => disconnected === 1)
    assert.notEqual((await client.call('Auth.WhoAmI')).tokenid, before.tokenid)

    writeFileSync(file, old) // is refused at the upgrade
    const late = open(t, daemon.port, { tokenFile: file })
    await assert.rejects(late.call('Auth.WhoAmI'), { name: 'RpcError', code: -32001 })
    writeFileSync(file, next)
    assert.equal((await late.call('Auth.WhoAmI')).type, 'superadmin')
  })

  it('waits for a token file that is not there yet', async (t) => {
    const daemon = await startDaemon(t)
    const file = join(temporaryDirectory(t), 'token')
    const client = open(t, daemon.port, { tokenFile: file })
    let connected = 0
    client.on('connected', () => connected++)
    await assert.rejects(client.call('Auth.WhoAmI'), { name: 'Unreachable', message: /ENOENT/ })
    writeFileSync(file, await mint(daemon))
    await until('it is connected by itself', () => connected === 1)
  })

  it('lets the daemon be when a fixed token has ended, until the next call', async (t) => {
    let upgrades = 0
    const server = createServer().listen({ port: 0, host: '127.0.0.1' })
    server.on('upgrade', (_req, socket) => {
      upgrades++
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
    })
    t.after(() => server.close())
    await once(server, 'listening')
    const client = open(t, (server.address() as AddressInfo).port, { token: 'pst_old' })
    for (const expected of [1, 2]) {
      await assert.rejects(client.call('a.b'), { name: 'RpcError', code: -32001 })
      assert.equal(upgrades, expected)
    }
  })
})
