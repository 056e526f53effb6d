import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { connect, OutcomeUnknown, RpcError, Unreachable } from '../../src/client/index.ts'
import { type Scope, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const url = `http://127.0.0.1:${daemon.port}/api/`

/** Something that is no daemon, on loopback. */
async function imposter(t: Scope, server: Server, path?: string): Promise<string> {
  server.listen(path ?? { port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return path ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`
}

describe('a client over HTTP', () => {
  it('mints over the Unix socket and calls over either', async (t) => {
    const local = connect({ socket: daemon.socket })
    const token = await local.call('Auth.CreateApiToken', { ttl: 60, name: 'client' })
    for (const place of [{ socket: daemon.socket }, { url }, { url: new URL(url) }]) {
      const client = connect({ ...place, token })
      t.after(() => client.close())
      assert.equal((await client.call('Auth.WhoAmI')).name, 'client')
      assert.equal(await client.notify('Auth.WhoAmI'), undefined)
      assert.equal(await client.notify('no.such'), undefined)
      assert.throws(() => client.on('token.watch', () => {}), TypeError)
    }
  })

  it('throws what the daemon refuses, with code, message and data', async () => {
    for (const place of [{ socket: daemon.socket }, { url }]) {
      const error = await connect(place)
        .call('Auth.WhoAmI')
        .catch((thrown: unknown) => thrown)
      assert.ok(error instanceof RpcError)
      assert.deepEqual(
        [error.code, error.message, error.data],
        [-32001, 'Unauthorized.', 'A token is needed: send "Authorization: Bearer <token>".'],
      )
    }
  })

  it('reads its token file again when the token is refused, once a call', async (t) => {
    const file = join(temporaryDirectory(t), 'token')
    for (const place of [{ socket: daemon.socket }, { url }]) {
      writeFileSync(file, `${await mint(daemon)}\n`)
      const client = connect({ ...place, tokenFile: file })
      const { tokenid } = await client.call('Auth.WhoAmI')
      const { token } = await client.call('token.rotate', { tokenid }) // the old one is dead
      await assert.rejects(client.call('Auth.WhoAmI'), { code: -32001 })
      rmSync(file)
      await assert.rejects(client.call('Auth.WhoAmI'), { code: -32001 })
      writeFileSync(file, token)
      const calls = Array.from({ length: 5 }, () => client.call('Auth.WhoAmI'))
      for (const { tokenid: same } of await Promise.all(calls)) assert.equal(same, tokenid)
    }
  })

  it('asks once more with a new token, not for ever', async (t) => {
    const file = join(temporaryDirectory(t), 'token')
    let asked = 0
    const place = await imposter(
      t,
      createServer((_req, res) => {
        asked++
        writeFileSync(file, `pst_${asked}`)
        res
          .writeHead(401)
          .end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Unauthorized."},"id":null}')
      }),
    )
    writeFileSync(file, 'pst_0')
    await assert.rejects(connect({ url: place, tokenFile: file }).call('a.b'), { code: -32001 })
    assert.equal(asked, 2)
  })

  it('tells a call that was not sent from one whose outcome is unknown', async (t) => {
    const broken = createServer((req) => req.socket.destroy())
    const page = createServer((_req, res) => res.writeHead(502).end('<h1>Bad Gateway</h1>'))
    const elsewhere = createServer((_req, res) => res.writeHead(307, { Location: url }).end())
    for (const server of [broken, page, elsewhere]) {
      const path = join(temporaryDirectory(t), 's.sock')
      const place = await imposter(t, server)
      await assert.rejects(connect({ url: place }).call('a.b'), OutcomeUnknown)
      server.close()
      server.closeAllConnections()
      const socket = await imposter(t, server, path)
      await assert.rejects(connect({ socket }).call('a.b'), OutcomeUnknown)
    }
    const gone = createServer()
    const place = await imposter(t, gone)
    gone.close()
    await assert.rejects(connect({ url: place }).call('a.b'), Unreachable)
    await assert.rejects(connect({ socket: '/nowhere/s.sock' }).call('a.b'), Unreachable)
  })

  it('says how long it waited, and ends calls when it is closed', async (t) => {
    const [silent, local] = [createServer(() => {}), createServer(() => {})]
    const place = await imposter(t, silent)
    const socket = await imposter(t, local, join(temporaryDirectory(t), 's.sock'))
    for (const [server, where] of [
      [silent, { url: place }],
      [local, { socket }],
    ] as const) {
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const late = assert.rejects(connect({ ...where, timeout: 50 }).call('a.b'), {
        name: 'OutcomeUnknown',
        message: /no answer within 50 ms/,
      })
      await once(server, 'request') // a call that is late before it was sent is not unknown
      t.mock.timers.tick(50)
      await late
      t.mock.timers.reset()
    }
    const client = connect({ url: place })
    const call = client.call('a.b')
    await once(silent, 'request')
    client.close()
    await assert.rejects(call, { name: 'OutcomeUnknown', message: /the client was closed/ })
    await assert.rejects(client.call('a.b'), { name: 'Unreachable', message: /the client was closed/ })
  })

  it('refuses options that make no sense', () => {
    for (const options of [
      {},
      { url, socket: daemon.socket },
      { url: 'ftp://127.0.0.1/' },
      { url: 'nonsense' },
      { url, token: 'a', tokenFile: 'b' },
      { url, timeout: 0 },
      { url, timeout: Number.NaN },
      { url, timeout: Number.POSITIVE_INFINITY },
    ])
      assert.throws(() => connect(options), TypeError)
  })
})
