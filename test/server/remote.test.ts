import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import WebSocket from 'ws'
import type { SystemInfo } from '../../src/methods/system.ts'
import { type Daemon, type Scope, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { ok } from '../support/lives.ts'
import { assertForbidden, mintLine } from '../support/minting.ts'
import { reload } from '../support/reload.ts'
import { Address, askOn, callAt, handshake, httpAt, makeCertificate } from '../support/remote.ts'
import { needsProgram } from '../support/root.ts'
import { lines, mint, raw } from '../support/talk.ts'

const openssl = needsProgram('openssl')
const MINT = mintLine()
const MINE = { headers: { Host: 'localhost' } }

const directory = temporaryDirectory({ after })
const first = await makeCertificate(directory, 'first')
const second = await makeCertificate(directory, 'second')
const files = { cert: join(directory, 'live.crt'), key: join(directory, 'live.key') }
function install(from: { cert?: string; key?: string }) {
  if (from.cert !== undefined) copyFileSync(from.cert, files.cert)
  if (from.key !== undefined) copyFileSync(from.key, files.key)
}
install(first)

const secure = new Address(first.cert)
const plain = new Address()
const path = join(directory, 'remote.sock')
const daemon = await startDaemon(
  { after },
  {
    directory,
    config: `
      [[remote]]
      listen = "${secure}"
      cert = "${files.cert}"
      key = "${files.key}"
      [[remote]]
      listen = "${plain}"
      [[remote]]
      listen = "unix:${path}"
      socket_mode = "0600"`,
  },
)
const token = await mint(daemon)
const doors = { TLS: secure, 'a plain loopback port': plain, 'a Unix socket': path }

async function socketTo(t: Scope, place: Address | string, headers = {}): Promise<WebSocket> {
  const url =
    typeof place === 'string' ? `ws+unix:${place}:/api/` : `ws${place.ca ? 's' : ''}://${place}/api/`
  const ws = new WebSocket(url, { ...(typeof place !== 'string' && place.options), headers })
  t.after(() => ws.terminate())
  await once(ws, 'open')
  return ws
}

async function ask(ws: WebSocket, text: string) {
  ws.send(text)
  const [answer] = await once(ws, 'message')
  return JSON.parse(String(answer))
}

/** However it ends: by a reset as well. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.on('error', () => {}).on('close', () => resolve()))
}

/** On all doors, the one that asks included. */
async function connections(on: Daemon, by: string): Promise<number> {
  return (await ok<SystemInfo>(on, 'system.info', undefined, by)).counts.connections
}

describe('the remote door', openssl, () => {
  for (const [name, place] of Object.entries(doors)) {
    it(`on ${name} takes tokens, over HTTP and WebSocket`, async (t) => {
      assert.equal((await callAt(place, 'Auth.WhoAmI', undefined, { token })).status, 200)
      assert.equal((await callAt(place, 'Auth.WhoAmI')).status, 401)
      const ws = await socketTo(t, place, { Authorization: `Bearer ${token}` })
      assert.equal((await ask(ws, '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}')).error, undefined)
    })

    it(`on ${name} mints for nobody, root included`, async (t) => {
      assertForbidden(await httpAt(place, MINT, MINE))
      assertForbidden(await httpAt(place, MINT, { token }))
      const ws = await socketTo(t, place, { ...MINE.headers, Authorization: `Bearer ${token}` })
      assert.equal((await ask(ws, MINT)).error.code, -32003)
    })
  }

  it('speaks newline JSON on its Unix socket, and mints for nobody there', async () => {
    const who = JSON.stringify({ jsonrpc: '2.0', method: 'Auth.WhoAmI', params: { Token: token }, id: 2 })
    const [minted, known] = lines(await raw({ ...daemon, socket: path }, `${MINT}\n${who}\n`))
    assert.equal((minted as { error?: { code: number } }).error?.code, -32003)
    assert.equal((known as { error?: unknown }).error, undefined)
  })

  it('speaks no newline JSON on TCP', async (t) => {
    const socket = await handshake(t, secure)
    socket.end(`${MINT}\n`)
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 400 /)
    const unsafe = connect(plain.options)
    unsafe.end(`${MINT}\n`)
    assert.match(String((await once(unsafe, 'data'))[0]), /^HTTP\/1.1 400 /)
  })
})

describe('TLS', openssl, () => {
  it('is 1.2 or 1.3, and HTTP/1.1 whatever is offered beside it', async (t) => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const offered = { minVersion: version, maxVersion: version, ALPNProtocols: ['h2', 'http/1.1'] }
      const socket = await handshake(t, secure, offered)
      assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], [version, 'http/1.1'])
    }
  })

  const hopeless: [what: string, offered: ConnectionOptions, alert: RegExp][] = [
    [
      '1.1',
      { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      /PROTOCOL_VERSION/,
    ],
    ['1.0', { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }, /PROTOCOL_VERSION/],
    ['for HTTP/2 alone', { ALPNProtocols: ['h2'] }, /NO_APPLICATION_PROTOCOL|ECONNRESET/],
  ]
  for (const [what, offered, code] of hopeless) {
    it(`${what} is refused by the daemon`, async (t) => {
      await assert.rejects(handshake(t, secure, offered), { code })
    })
  }

  it('that never begins or never ends its handshake is ended, and nothing of it stays', async (t) => {
    const hurried = new Address(first.cert)
    const limits = '[limits]\nheader_timeout = "1s"\n'
    const remote = `[[remote]]\nlisten = "${hurried}"\ncert = "${first.cert}"\nkey = "${first.key}"\n`
    const on = await startDaemon(t, { config: limits + remote })
    const by = await mint(on)
    const ended = ['', '\x16\x03\x01', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'].map((bytes) => {
      const client = connect(hurried.options).resume()
      client.write(bytes)
      return closed(client)
    })
    await Promise.all(ended)
    const resets = Array.from({ length: 50 }, () => {
      const client = connect(hurried.options)
      client.on('connect', () => client.resetAndDestroy())
      return closed(client)
    })
    await Promise.all(resets)
    await until('they are forgotten', async () => (await connections(on, by)) === 1)
    assert.equal((await callAt(hurried, 'Auth.WhoAmI', undefined, { token: by })).status, 200)
  })
})

describe('a certificate', openssl, () => {
  const shown = async (t: Scope) => {
    const socket = await handshake(t, secure, { rejectUnauthorized: false })
    return socket.getPeerCertificate().fingerprint256
  }

  it('is changed by SIGHUP for new connections, and open ones go on', async (t) => {
    const before = await shown(t)
    const kept = await handshake(t, secure)
    assert.equal(await askOn(kept, token), 200)
    const ws = await socketTo(t, secure)
    install(second)
    assert.equal(await reload(daemon), 'taken')
    assert.match(daemon.log(), /"reloaded":\["remote\[0\] certificate"\]/)
    const renewed = await shown(t)
    assert.notEqual(renewed, before)
    await assert.rejects(handshake(t, secure), 'whoever trusts the old one only')
    assert.equal(await askOn(kept, token), 200)
    assert.equal((await ask(ws, MINT)).error.code, -32003)
  })

  it('stays as it is where the new one is broken, missing or not of its key', async (t) => {
    const before = await shown(t)
    const wrong: (() => void)[] = [
      () => install({ cert: first.cert, key: second.key }),
      () => install({ cert: second.cert, key: first.key }),
      () => writeFileSync(files.cert, 'no certificate'),
      () => writeFileSync(files.cert, ''),
      () => rmSync(files.key),
    ]
    for (const spoil of wrong) {
      install(second)
      spoil()
      assert.equal(await reload(daemon), 'refused')
      assert.equal(await shown(t), before)
    }
    const logged = daemon.log().match(/"level":50.+(cannot be used|cannot read).+the old one stays/g)
    assert.equal(logged?.length, wrong.length)
  })
})
