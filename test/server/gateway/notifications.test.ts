import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon, until } from '../../support/daemon.ts'
import { conversation, make, ok } from '../../support/lives.ts'
import { mint, type WsClient, webSocket } from '../../support/talk.ts'
import { table, upstream } from '../../support/upstreams.ts'

const kept = await upstream({ after }, 'ws')
const stripped = await upstream({ after }, 'tcp')
const config = table(kept) + table(stripped, { namespace: 'eth.', strip: true })
const daemon = await startDaemon({ after }, { config })
const admin = await mint(daemon)

const opened = (t: Parameters<typeof webSocket>[0], token?: string, door: 'unix' | 'tcp' = 'unix') =>
  webSocket(t, daemon, {
    door,
    ...(token !== undefined && { headers: { Authorization: `Bearer ${token}` } }),
  })

/** What a client hears, up to a call of its own. */
async function heardBy(client: WsClient): Promise<object[]> {
  client.send({ jsonrpc: '2.0', id: 'mark', method: 'Auth.WhoAmI' })
  const heard: object[] = []
  for (;;) {
    const message = await client.next()
    if (message.id === 'mark') return heard
    heard.push(message)
  }
}

/** Tells, and lets what was told arrive: an answer after it comes over the same connection. */
async function tell(...messages: string[]): Promise<void> {
  for (const message of messages) kept.tell(message)
  await ok(daemon, 'ws.echo', [], admin)
}

describe("an upstream's notifications", () => {
  const note = '{"jsonrpc":"2.0","method":"ws.note","params":{"big":12345678901234567890, "one":1.0}}'

  it('reach those who have called it, to the byte, and nobody else', async (t) => {
    const [caller, idle, remote] = await Promise.all([
      opened(t, admin),
      opened(t, admin),
      opened(t, admin, 'tcp'),
    ])
    const lines = conversation(t, daemon)
    await caller.call('ws.echo', [])
    await remote.call('ws.echo', [])
    await lines.call('ws.echo', { Token: admin })
    await idle.call('eth.echo', [])
    await tell(note)
    await until('it has arrived', () => caller.inbox.length > 0 && remote.inbox.length > 0)
    assert.deepEqual([caller.inbox, remote.inbox], [[note], [note]])
    assert.equal(((await lines.next()) as { method?: string }).method, 'ws.note')
    assert.deepEqual(await heardBy(idle), [])
  })

  it('are one line where a line is a message, whatever lines they came in', async (t) => {
    const lines = conversation(t, daemon)
    await lines.call('ws.echo', { Token: admin })
    const forged = '{"jsonrpc":"2.0","id":1,"result":"forged"}'
    await tell(`{"jsonrpc":"2.0","method":"ws.note",\r\n"params":[\n${forged}\n]}`)
    const told = (await lines.next()) as { method?: string; params?: unknown }
    assert.deepEqual([told.method, told.params], ['ws.note', [JSON.parse(forged)]])
  })

  it('reach those who may see them only', async (t) => {
    const { token } = await make(daemon, admin, { scopes: ['ws.echo', 'Auth.*'] })
    const client = await opened(t, token)
    await client.call('ws.echo', [])
    await tell(note, '{"jsonrpc":"2.0","method":"ws.echo","params":[1]}')
    assert.deepEqual(await heardBy(client), [{ jsonrpc: '2.0', method: 'ws.echo', params: [1] }])
  })

  it('reach a connection if any of the tokens that called over it may see them', async (t) => {
    const { token } = await make(daemon, admin, { scopes: ['ws.echo'] })
    const client = await opened(t)
    await client.call('ws.echo', { Token: token })
    await client.call('ws.echo', { Token: admin })
    await tell(note)
    await until('it has arrived', () => client.inbox.length > 0)
  })

  it('go on for the other token of a connection when one of two ends', async (t) => {
    const { token } = await make(daemon, admin)
    const { token: other } = await make(daemon, admin)
    const client = await opened(t)
    await client.call('ws.echo', { Token: token })
    await client.call('ws.echo', { Token: other })
    await ok(daemon, 'Auth.RevokeApiToken', undefined, token)
    await tell(note)
    await until('it has arrived', () => client.inbox.length > 0)
  })

  it('of names outside its namespace, and what is no notification, reach nobody', async (t) => {
    const client = await opened(t, admin)
    await client.call('ws.echo', [])
    await tell(
      '{"jsonrpc":"2.0","method":"Auth.note","params":{}}',
      '{"jsonrpc":"2.0","method":"other","params":{}}',
      '{"jsonrpc":"2.0","method":"ws.ask","id":1,"params":{}}',
      '{"jsonrpc":"2.0","id":1,"result":"late"}',
      '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}',
      '{"jsonrpc":"2.0","method":7}',
    )
    assert.deepEqual(await heardBy(client), [])
  })

  it('carry the namespace where it is taken off calls, and their numbers as they are', async (t) => {
    const client = await opened(t, admin)
    await client.call('eth.echo', [])
    stripped.tell('{"jsonrpc":"2.0","method":"subscription","params":[12345678901234567890]}')
    await ok(daemon, 'eth.echo', [], admin)
    await until('it has arrived', () => client.inbox.length > 0)
    assert.match(client.inbox[0] ?? '', /"method":"eth\.subscription"/)
    assert.match(client.inbox[0] ?? '', /\[12345678901234567890\]/)
  })

  it('stop with the token', async (t) => {
    const { token } = await make(daemon, admin)
    const client = await opened(t)
    await client.call('ws.echo', { Token: token })
    await tell(note)
    await until('it has arrived', () => client.inbox.length === 1)
    await ok(daemon, 'Auth.RevokeApiToken', undefined, token)
    await tell(note)
    assert.equal((await heardBy(client)).length, 1)
  })

  it('a client that does not read them is let go of, and the others hear them', async (t) => {
    const deaf = await opened(t, admin)
    const good = await opened(t, admin)
    await deaf.call('ws.echo', [])
    await good.call('ws.echo', [])
    deaf.ws.pause()
    const long = `{"jsonrpc":"2.0","method":"ws.note","params":["${'x'.repeat(100_000)}"]}`
    for (let n = 0; n < 60; n++) {
      for (let m = 0; m < 10; m++) kept.tell(long)
      // It reads, if slowly: on a busy machine it must not fall as far behind as one that does not.
      await until('all have arrived', () => good.inbox.length === 10 * (n + 1))
    }
    deaf.ws.resume()
    await deaf.closed
  })
})
