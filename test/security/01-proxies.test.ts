import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { after, describe, it } from 'node:test'
import { type Daemon, logged, type Scope, startDaemon } from '../support/daemon.ts'
import { assertForbidden, assertMinted, mintLine, mintRequest, readAnswer } from '../support/minting.ts'
import { caddy, nginx, type StartProxy, userOf } from '../support/proxies.ts'
import { reload } from '../support/reload.ts'
import { as, needsRoot, publicDirectory, STRANGER } from '../support/root.ts'
import { call, http, mint, raw, webSocket } from '../support/talk.ts'

const root = needsRoot('nginx', 'caddy')
const OPEN = '[listen]\nsocket_mode = "0666"\n'
const MINT = mintLine()

const daemon = await startDaemon({ after }, { config: OPEN, directory: publicDirectory({ after }) })
const places = { tcp: `127.0.0.1:${daemon.port}`, unix: daemon.socket }

/** The same daemon, as somebody sees it through a proxy. */
const behind = (socket: string): Daemon => ({ ...daemon, socket })

/** Nobody mints through it, and it is not the proxy's fault: a token gets through. */
async function assertRemote(proxy: string): Promise<void> {
  assertForbidden(await http(behind(proxy), MINT))
  assertForbidden(await http(behind(proxy), MINT, { headers: { Host: `127.0.0.1:${daemon.port}` } }))
  const { status } = await call(behind(proxy), 'Auth.WhoAmI', undefined, { token: await mint(daemon) })
  assert.equal(status, 200)
}

const stripping: StartProxy = (t, place) => caddy(t, place, 'header_up -X-Forwarded-*\nheader_up -Via')
const proxies: [name: string, start: StartProxy, user: string][] = [
  ['stock nginx', nginx, 'www-data'],
  ['stock Caddy', (t, place) => caddy(t, place), 'caddy'],
  ['Caddy that hides that it forwards', stripping, 'caddy'],
]

describe('pitfall 1: what a reverse proxy passes on is not local', root, () => {
  for (const [name, start, user] of proxies) {
    for (const door of ['tcp', 'unix'] as const) {
      it(`${name} in front of the ${door} door never mints, and a token gets through`, async (t) => {
        await assertRemote(await start(t, places[door]))
        const { uid } = await userOf(user)
        await logged(daemon, new RegExp(`"door":"${door}","uid":${uid},"username":"${user}"`))
      })
    }

    it(`${name} cannot even open a socket of the usual mode`, async (t) => {
      const closed = await startDaemon(t, { directory: publicDirectory(t) })
      const proxy = await start(t, closed.socket)
      const answer = await raw(behind(proxy), mintRequest('localhost'), { end: false })
      assert.match(answer, /^HTTP\/1.1 502 /)
    })
  }

  it('a WebSocket through Caddy never mints, and a token gets through', async (t) => {
    const proxy = behind(await caddy(t, places.tcp))
    const ws = await webSocket(t, proxy)
    assert.equal((await ws.call('Auth.CreateApiToken', [60])).error?.code, -32003)
    const Token = await mint(daemon)
    assert.equal((await ws.call('Auth.WhoAmI', { Token })).error, undefined)
  })
})

describe('pitfall 1: a tunnel', root, () => {
  it('of another uid never mints, whatever is said through it', async (t) => {
    const tcp = await tunnel(t, { port: daemon.port, host: '127.0.0.1' })
    const unix = await tunnel(t, { path: daemon.socket })
    for (const port of [tcp, unix]) {
      const through = { ...daemon, port }
      const request = mintRequest(`127.0.0.1:${daemon.port}`)
      assertForbidden(readAnswer(await raw(through, request, { door: 'tcp', end: false })))
      assert.equal(
        (await call(through, 'Auth.WhoAmI', {}, { door: 'tcp', token: await mint(daemon) })).status,
        200,
      )
    }
    assert.match(await raw({ ...daemon, port: unix }, `${MINT}\n`, { door: 'tcp' }), /"code":-32003/)
  })
})

describe('pitfall 1: a relay that admits what it is', () => {
  const FORWARDED = [
    'Forwarded: for=127.0.0.1',
    'X-Forwarded-For: 127.0.0.1',
    'x-forwarded-proto: https',
    'X-FORWARDED-ANYTHING:',
    'X-Real-IP: 127.0.0.1',
    'Via: 1.1 a',
    'X-Original-URL: /',
    'CF-Connecting-IP: 1.2.3.4',
    'True-Client-IP: ::1',
    'X-Client-IP: ::1',
    'X-Cluster-Client-IP: ::1',
  ]
  for (const header of FORWARDED) {
    it(`does not mint on any door, though it is an operator's: ${header}`, async () => {
      const request = mintRequest(`127.0.0.1:${daemon.port}`, { head: `${header}\r\n` })
      for (const door of ['tcp', 'unix'] as const)
        assertForbidden(readAnswer(await raw(daemon, request, { door, end: false })))
    })
  }

  it('does not mint in a WebSocket', async (t) => {
    for (const door of ['tcp', 'unix'] as const) {
      const ws = await webSocket(t, daemon, { door, headers: { 'X-Forwarded-For': '127.0.0.1' } })
      assert.equal((await ws.call('Auth.CreateApiToken', [60])).error?.code, -32003)
    }
  })
})

it('loopback_mint = false closes TCP to everybody, and a reload opens it', async (t) => {
  const closed = await startDaemon(t, { config: '[listen]\nloopback_mint = false\n' })
  assertForbidden(await http(closed, MINT, { door: 'tcp' }))
  await logged(closed, /listen.loopback_mint is off/)
  assertMinted(await http(closed, MINT))
  assert.equal(await reload(closed, '[listen]\nloopback_mint = true\n'), 'taken')
  assertMinted(await http(closed, MINT, { door: 'tcp' }))
})

/** A process of another uid that passes bytes on, in both directions, as they are. Returns its port. */
async function tunnel(t: Scope, to: object): Promise<number> {
  const relay = `
    const net = require('node:net')
    const server = net.createServer({ allowHalfOpen: true }, (client) => {
      const far = net.connect({ ...${JSON.stringify(to)}, allowHalfOpen: true })
      client.pipe(far).pipe(client)
      client.on('error', () => far.destroy())
      far.on('error', () => client.destroy())
    })
    server.listen(0, '127.0.0.1', () => console.log(server.address().port))`
  const [setpriv = '', ...flags] = as(STRANGER)
  const child: ChildProcess = spawn(setpriv, [...flags, process.execPath, '-e', relay], { cwd: '/' })
  t.after(() => child.kill('SIGKILL'))
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (text) => resolve(Number(text)))
    child.once('close', (code) => reject(new Error(`the tunnel ended with ${code}`)))
  })
}
