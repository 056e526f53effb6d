import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, it } from 'node:test'
import type { WebSocket } from 'ws'
import { startDaemon, until } from '../support/daemon.ts'
import { machine } from '../support/datafor.ts'
import { call, mint, type Response, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: '[limits]\nin_flight = 8\n' })
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })

/** How a peer brings about the end of its connection, by the code that it is closed with. */
const ENDS = {
  1000: (ws: WebSocket) => ws.close(1000),
  1003: (ws: WebSocket) => ws.send(Buffer.from('{}')),
  1007: (ws: WebSocket) => ws.send(Buffer.from([0xff]), { binary: false }),
}

for (const door of ['unix', 'tcp'] as const) {
  describe(`a WebSocket on ${door}`, () => {
    it('serves with the token of its upgrade', async (t) => {
      const ws = await webSocket(t, daemon, { door, ...bearer(await mint(daemon, { ttl: 60 })) })
      assert.equal(((await ws.call('Auth.WhoAmI')).result as { type: string }).type, 'superadmin')
    })

    it('lets the Token of a call override it for that call', async (t) => {
      const [first, second] = [await mint(daemon), await mint(daemon)]
      const ws = await webSocket(t, daemon, { door, ...bearer(first) })
      const ids = []
      for (const params of [{}, { Token: second }, {}]) {
        ids.push(((await ws.call('Auth.WhoAmI', params)).result as { tokenid: string }).tokenid)
      }
      assert.deepEqual([ids[0] === ids[2], ids[0] === ids[1]], [true, false])
      assert.equal((await ws.call('Auth.WhoAmI', { Token: 'x' })).error?.code, -32001)
    })

    it('refuses a call without any token', async (t) => {
      const ws = await webSocket(t, daemon, { door })
      assert.equal((await ws.call('Auth.WhoAmI')).error?.code, -32001)
    })

    it('answers many calls in flight as they complete, each once', async (t) => {
      const ws = await webSocket(t, daemon, { door, ...bearer(await mint(daemon)) })
      const ids = Array.from({ length: 300 }, (_, id) => id)
      for (const id of ids) ws.send({ jsonrpc: '2.0', method: id % 3 === 0 ? 'nope' : 'Auth.WhoAmI', id })
      const answered = new Set<unknown>()
      while (answered.size < ids.length) answered.add((await ws.next()).id)
      assert.deepEqual(ws.inbox, [])
    })

    it('answers batches with arrays and notifications not at all', async (t) => {
      const ws = await webSocket(t, daemon, { door })
      ws.send({ jsonrpc: '2.0', method: 'nope' })
      ws.send('[{"jsonrpc":"2.0","method":"nope","id":1}]')
      assert.equal(((await ws.next()) as unknown as Response[]).length, 1)
      ws.send('not json')
      assert.equal((await ws.next()).error?.code, -32700)
    })

    it('answers what it was asked before it closes, also what waits for its turn, whoever is the reason', async (t) => {
      const token = await mint(daemon)
      const ids = Array.from({ length: 20 }, (_, id) => id)
      for (const [expected, end] of Object.entries(ENDS)) {
        const peer = await webSocket(t, daemon, { door, ...bearer(token) })
        peer.together(() => {
          for (const id of ids)
            peer.send({ jsonrpc: '2.0', method: 'token.create', params: { name: randomUUID() }, id })
          end(peer.ws)
        })
        assert.equal((await peer.closed).code, Number(expected))
        const answers = peer.inbox.map((text) => JSON.parse(text) as Response)
        answers.sort((one, other) => Number(one.id) - Number(other.id)) // as they complete
        assert.deepEqual(
          answers.map(({ id, error }) => [id, error]),
          ids.map((id) => [id, undefined]),
        )
      }
    })

    it('closes with 1009 for a message over the limit, 1003 for a binary one, 1007 for bad UTF-8', async (t) => {
      const large = await webSocket(t, daemon, { door })
      large.send('x'.repeat(1024 * 1024 + 1))
      const binary = await webSocket(t, daemon, { door })
      binary.ws.send(Buffer.from('{}'))
      const broken = await webSocket(t, daemon, { door })
      broken.ws.send(Buffer.from([0xff, 0xfe]), { binary: false })
      assert.deepEqual(
        (await Promise.all([large.closed, binary.closed, broken.closed])).map(({ code }) => code),
        [1009, 1003, 1007],
      )
    })

    it('takes a message in fragments', async (t) => {
      const ws = await webSocket(t, daemon, { door })
      ws.ws.send('{"jsonrpc":"2.0",', { fin: false })
      ws.ws.send('"method":"nope","id":1}', { fin: true })
      assert.equal((await ws.next()).error?.code, -32601)
    })

    it('answers pings', async (t) => {
      const { ws } = await webSocket(t, daemon, { door })
      const pong = new Promise<string>((resolve) => ws.on('pong', (data) => resolve(String(data))))
      ws.ping('hello')
      assert.equal(await pong, 'hello')
    })

    it('is closed with 4401 when its token is revoked, idle or not, and only then', async (t) => {
      const [victim, other] = [await mint(daemon), await mint(daemon)]
      const ws = await webSocket(t, daemon, { door, ...bearer(victim) })
      const bystander = await webSocket(t, daemon, { door, ...bearer(other) })
      await call(daemon, 'Auth.RevokeApiToken', undefined, { token: victim })
      assert.equal((await ws.closed).code, 4401)
      assert.notEqual((await bystander.call('Auth.WhoAmI')).result, undefined)
    })

    it('still gets the answer to the call that ended its own token', async (t) => {
      const ws = await webSocket(t, daemon, { door, ...bearer(await mint(daemon)) })
      assert.equal((await ws.call('Auth.RevokeApiToken')).result, true)
      assert.equal((await ws.closed).code, 4401)
    })

    it('is closed with 4401 when its token expires', async (t) => {
      // By its clock: on the machine's own the token could have ended before the upgrade.
      const { daemon: on, pass } = await machine(t)
      const ws = await webSocket(t, on, { door, ...bearer(await mint(on, { ttl: 1 })) })
      assert.equal((await ws.call('Auth.WhoAmI')).error, undefined)
      pass(1_000)
      assert.equal((await ws.closed).code, 4401)
    })

    it('does not compress', async (t) => {
      const { ws } = await webSocket(t, daemon, { door })
      assert.equal(ws.extensions, '')
    })
  })
}

it('a reader that never reads holds up nobody and does not fill the memory', async (t) => {
  const ws = await webSocket(t, daemon, bearer(await mint(daemon)))
  ws.ws.pause()
  const message = JSON.stringify({ jsonrpc: '2.0', method: 'rpc.discover', id: 1 })
  for (let n = 0; n < 5_000; n++) ws.send(message)
  await until('the daemon reads no more', () => ws.ws.bufferedAmount > 0)
  assert.equal((await call(daemon, 'Auth.WhoAmI', undefined, { token: await mint(daemon) })).status, 200)
  ws.ws.resume()
  for (let n = 0; n < 5_000; n++) assert.equal((await ws.next()).id, 1)
})
