import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { whyNotLocal } from '../../src/server/local.ts'
import { startDaemon } from '../support/daemon.ts'
import { mintRequest } from '../support/minting.ts'
import { mint, raw, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const OURS = `127.0.0.1:${daemon.port}`

/** Hosts by whether they are this host's own: PORT is our port. */
const HOSTS: [host: string, local: boolean][] = [
  ['127.0.0.1:PORT', true],
  ['localhost:PORT', true],
  ['LocalHost:PORT', true],
  ['[::1]:PORT', true],
  ['localhost', false],
  ['127.0.0.1', false],
  ['[::1]', false],
  ['::1:PORT', false],
  ['127.0.0.1:1', false],
  ['127.0.0.1:0PORT', false],
  ['127.0.0.1:PORT.', false],
  ['127.0.0.1:PORT/', false],
  ['127.0.0.2:PORT', false],
  ['localhost.:PORT', false],
  ['LOCALHOST.', false],
  ['127.0.0.1.evil.test:PORT', false],
  ['localhost.evil.test:PORT', false],
  ['evil.test:PORT', false],
  ['evil.test', false],
  ['[::ffff:127.0.0.1]:PORT', false],
  ['[0:0:0:0:0:0:0:1]:PORT', false],
  ['0.0.0.0:PORT', false],
  ['[::]:PORT', false],
  ['127.1:PORT', false],
  ['2130706433:PORT', false],
  ['0x7f000001:PORT', false],
  ['user@127.0.0.1:PORT', false],
  ['localhost:PORT@evil.test', false],
]

/** The status of a mint with these bytes in front of its body, on loopback. */
async function statusOf(bytes: string): Promise<number> {
  const answer = await raw(daemon, bytes, { door: 'tcp', end: false })
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
}

describe('pitfall 2: over TCP only a literal loopback Host with our port is local', () => {
  for (const [pattern, local] of HOSTS) {
    const host = pattern.replace('PORT', String(daemon.port))
    it(`"${pattern}" ${local ? 'mints' : 'does not mint'}, in HTTP and in a WebSocket`, async (t) => {
      assert.equal(await statusOf(mintRequest(host)), local ? 200 : 403)
      const ws = await webSocket(t, daemon, { door: 'tcp', headers: { Host: host } })
      const { result, error } = await ws.call('Auth.CreateApiToken', [60])
      assert.deepEqual([typeof result, error?.code], local ? ['string', undefined] : ['undefined', -32003])
    })
  }

  it('no Host at all does not mint, nor does an empty one', async () => {
    assert.equal(await statusOf(mintRequest('')), 403)
    const request = mintRequest(OURS).replace(`Host: ${OURS}\r\n`, '')
    assert.equal(await statusOf(request), 400)
    assert.equal(await statusOf(request.replace('HTTP/1.1', 'HTTP/1.0')), 403)
  })

  it('two Hosts do not mint, not even twice the right one', async () => {
    for (const second of [OURS, 'evil.test'])
      for (const head of [`Host: ${second}\r\n`, `host:${second}\r\n`, `HOST : ${second}\r\n`])
        assert.equal(await statusOf(mintRequest(OURS, { head })), 400)
    assert.equal(await statusOf(mintRequest(`${OURS}, ${OURS}`)), 400)
  })

  it('a target with another authority does not mint, and one with ours needs the Host as well', async () => {
    const targets: [target: string, host: string, status: number][] = [
      [`http://${OURS}/api/`, OURS, 200],
      [`http://localhost:${daemon.port}/api/`, OURS, 200],
      ['http://evil.test/api/', OURS, 403],
      [`http://evil.test:${daemon.port}/api/`, OURS, 403],
      [`http://${OURS}@evil.test/api/`, OURS, 403],
      [`http://${OURS}/api/`, 'evil.test', 403],
    ]
    for (const [target, host, status] of targets)
      assert.equal(await statusOf(mintRequest(host).replace('POST /api/', `POST ${target}`)), status, target)
  })

  it('over IPv6 the same names mint', async (t) => {
    const status = async (Host: string) => {
      const request = mintRequest(Host)
      const { connect } = await import('node:net')
      const socket = connect({ host: '::1', port: daemon.port })
      t.after(() => socket.destroy())
      socket.write(request)
      let text = ''
      for await (const chunk of socket) text += chunk
      return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])
    }
    assert.equal(await status(`[::1]:${daemon.port}`), 200)
    assert.equal(await status(`evil.test:${daemon.port}`), 403)
  })

  it('without a port where ours is 80, as clients leave it out', () => {
    const peer = { door: 'tcp', address: '127.0.0.1', uid: 0, gid: 0, groups: [], pid: 1 } as const
    const why = (host: string, port: number) =>
      whyNotLocal(peer, { headers: { host }, authority: undefined, port })
    for (const host of ['localhost', '127.0.0.1', '[::1]', 'localhost:80'])
      assert.equal(why(host, 80), undefined)
    for (const [host, port] of [
      ['localhost', 8377],
      ['localhost.', 80],
      ['evil.test', 80],
      ['localhost:8377', 80],
    ] as const)
      assert.match(why(host, port) ?? '', /Host is not a loopback name/)
  })

  it('who is refused for the name may come with a token', async () => {
    const head = `Authorization: Bearer ${await mint(daemon)}\r\n`
    const request = mintRequest('evil.test', { head, params: {} }).replace(
      'Auth.CreateApiToken',
      'Auth.WhoAmI        ',
    )
    assert.equal(await statusOf(request.replace(/"Auth.WhoAmI {8}"/, '        "Auth.WhoAmI"')), 200)
  })
})
