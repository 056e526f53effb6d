import assert from 'node:assert/strict'
import type { OutgoingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import WebSocket from 'ws'
import { AddressRanges } from '../../src/auth/ranges.ts'
import { clientAddress } from '../../src/server/client-address.ts'
import { type Daemon, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { audit } from '../support/minting.ts'
import { holds } from '../support/property.ts'
import { reload } from '../support/reload.ts'
import { Address, callAt, type RemotePlace } from '../support/remote.ts'
import { call, mint } from '../support/talk.ts'

const PROXY = '127.0.0.1'
const STRANGER = '127.0.0.9'
const directory = temporaryDirectory({ after })
const place = new Address()
const [trusted, strange] = [join(directory, 'trusted.sock'), join(directory, 'strange.sock')]
const config = `
  [[remote]]
  listen = "${place}"
  trusted_proxies = ["${PROXY}/32", "10.0.0.0/8", "2001:db8:1::/48"]
  [[remote]]
  listen = "unix:${trusted}"
  trusted_proxies = ["unix", "10.0.0.0/8"]
  [[remote]]
  listen = "unix:${strange}"
  trusted_proxies = ["127.0.0.1"]`
const daemon = await startDaemon({ after }, { directory, config })
const token = await mint(daemon)

let tokens = 0
/** Which address the audit log has for somebody who sends these headers. */
async function believed(
  headers: OutgoingHttpHeaders,
  at: RemotePlace = place,
  from?: string,
): Promise<unknown> {
  const draft = { name: `t${++tokens}` }
  const { status, body } = await callAt(at, 'token.create', draft, { token, headers, ...(from && { from }) })
  assert.equal(status, 200, body)
  return addressOf(daemon)
}

async function addressOf(of: Daemon): Promise<unknown> {
  const [line] = await audit(of, token, 1)
  assert.equal(line?.event, 'token.create')
  return line.by.address
}

const xff = (value: string | string[]) => ({ 'X-Forwarded-For': value })
const forwarded = (value: string | string[]) => ({ Forwarded: value })

describe('pitfall 4: a trusted proxy is believed about whoever is in front of it, and that one alone', () => {
  const stories: [headers: OutgoingHttpHeaders, address: string][] = [
    [{}, PROXY],
    [xff('192.0.2.7'), '192.0.2.7'],
    [xff('1.1.1.1, 192.0.2.7'), '192.0.2.7'],
    [xff('127.0.0.1, 192.0.2.7'), '192.0.2.7'],
    [xff(['1.1.1.1', '192.0.2.7']), '192.0.2.7'],
    [xff('1.1.1.1,192.0.2.7 ,10.1.2.3,\t10.9.9.9'), '192.0.2.7'],
    [xff('10.1.1.1, 192.0.2.7'), '192.0.2.7'],
    [xff('10.1.1.1, 10.2.2.2'), '10.1.1.1'],
    [xff('::ffff:192.0.2.7'), '192.0.2.7'],
    [xff('192.0.2.7, ::ffff:10.1.1.1'), '192.0.2.7'],
    [xff('192.0.2.7, ::FFFF:0a01:0101'), '192.0.2.7'],
    [xff('192.0.2.7, 2001:DB8:1::5'), '192.0.2.7'],
    [xff('192.0.2.7, 2001:db8:2::5'), '2001:db8:2::5'],
    [xff('192.0.2.7:4711'), '192.0.2.7'],
    [xff('192.0.2.7, 10.1.1.1:4711'), '192.0.2.7'],
    [xff('[2001:DB8:0::7]:4711'), '2001:db8::7'],
    [xff('2001:0db8:0:0:0:0:0:7'), '2001:db8::7'],
    [xff('garbage, 192.0.2.7'), '192.0.2.7'],
    [xff('192.0.2.7, garbage'), PROXY],
    [xff('192.0.2.7, garbage, 10.1.1.1'), '10.1.1.1'],
    [xff('192.0.2.7,'), PROXY],
    [xff(''), PROXY],
    [xff('192.0.2.07'), PROXY],
    [xff('fe80::1%eth0'), PROXY],
    [xff('[192.0.2.7'), PROXY],
    [xff('unix'), PROXY],
    [forwarded('for=192.0.2.7'), '192.0.2.7'],
    [forwarded('for=1.1.1.1, for=192.0.2.7;proto=https;by=10.1.1.1'), '192.0.2.7'],
    [forwarded('proto=https ; FOR="192.0.2.7:80", for=10.1.1.1'), '192.0.2.7'],
    [forwarded(['for=1.1.1.1', 'for=192.0.2.7']), '192.0.2.7'],
    [forwarded('for="[2001:db8::7]:4711"'), '2001:db8::7'],
    [forwarded('for=", for=192.0.2.7'), '192.0.2.7'],
    [forwarded('for=192.0.2.7, for=unknown'), PROXY],
    [forwarded('for=192.0.2.7, for=_hidden'), PROXY],
    [forwarded('for=192.0.2.7, proto=https'), PROXY],
    [{ ...xff('1.1.1.1, 192.0.2.7'), ...forwarded('for=2.2.2.2, for="192.0.2.7:80"') }, '192.0.2.7'],
    [{ 'X-Real-IP': '192.0.2.7', 'True-Client-IP': '192.0.2.7', 'CF-Connecting-IP': '192.0.2.7' }, PROXY],
  ]
  for (const [headers, address] of stories) {
    it(`${JSON.stringify(headers)} is ${address}`, async () => {
      assert.equal(await believed(headers), address)
    })
  }

  it('two headers that disagree are refused', async () => {
    for (const other of ['for=192.0.2.8', 'for=unknown', 'for=192.0.2.7, for=192.0.2.8']) {
      const headers = { ...xff('192.0.2.7'), ...forwarded(other) }
      const { status, json } = await callAt(place, 'Auth.WhoAmI', undefined, { token, headers })
      assert.deepEqual([status, json.error?.code], [400, -32600])
    }
  })

  it('who is no trusted proxy is not listened to', async () => {
    for (const headers of [xff('192.0.2.7'), forwarded('for=10.0.0.1'), { ...xff('a'), ...forwarded('b') }]) {
      assert.equal(await believed(headers, place, STRANGER), STRANGER)
      assert.equal(await believed(headers, strange), 'unix')
    }
  })

  it('a proxy on a Unix socket is trusted where "unix" is', async () => {
    assert.equal(await believed({}, trusted), 'unix')
    assert.equal(await believed(xff('1.1.1.1, 192.0.2.7, 10.0.0.1'), trusted), '192.0.2.7')
  })

  it('on the local doors nobody is listened to', async () => {
    for (const [door, address] of [
      ['tcp', PROXY],
      ['unix', 'unix'],
    ] as const) {
      const headers = { ...xff('192.0.2.7'), ...forwarded('for=192.0.2.8') }
      await call(daemon, 'token.create', { name: `t${++tokens}` }, { token, door, headers })
      assert.equal(await addressOf(daemon), address)
    }
  })

  it('a WebSocket is where its upgrade came from', async (t) => {
    const ws = new WebSocket(`ws://${place}/api/`, { headers: xff('1.1.1.1, 192.0.2.7') })
    t.after(() => ws.terminate())
    const params = { name: `t${++tokens}`, Token: token }
    ws.on('open', () => ws.send(JSON.stringify({ jsonrpc: '2.0', method: 'token.create', params, id: 1 })))
    await new Promise((resolve) => ws.once('message', resolve))
    assert.equal(await addressOf(daemon), '192.0.2.7')
  })

  it('SIGHUP changes whom new connections may trust', async () => {
    assert.equal(await reload(daemon, config.replace(PROXY, STRANGER)), 'taken')
    assert.equal(await believed(xff('192.0.2.7')), PROXY)
    assert.equal(await believed(xff('192.0.2.7'), place, STRANGER), '192.0.2.7')
    assert.equal(await reload(daemon, config.replace(PROXY, 'nonsense')), 'refused')
    assert.equal(await believed(xff('192.0.2.7')), PROXY)
  })
})

describe('pitfall 4: nothing left of the first hop that is not trusted changes the outcome', () => {
  const proxies = new AddressRanges([PROXY, '10.0.0.0/8'])
  const written = (address: string) =>
    fc.constantFrom(address, `${address}:4711`, `::ffff:${address}`, `[::ffff:${address}]:1`)
  const ours = fc.nat({ max: 0xffffff }).chain((n) => written(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`))
  const client = fc
    .nat({ max: 255 })
    .chain((n) => fc.tuple(fc.constant(`192.0.2.${n}`), written(`192.0.2.${n}`)))
  const left = fc.oneof(
    fc.string(),
    fc.ipV4(),
    fc.ipV6(),
    ours,
    fc.constantFrom('"', 'for="', 'unknown', ',', ';'),
  )

  it('in X-Forwarded-For', async () => {
    await holds(
      fc.property(fc.array(left), client, fc.array(ours), (spoofed, [address, hop], chain) => {
        const headers = { 'x-forwarded-for': [...spoofed, hop, ...chain].join(', ') }
        assert.equal(clientAddress(PROXY, headers, proxies), address)
      }),
      100,
    )
  })

  it('in Forwarded', async () => {
    await holds(
      fc.property(fc.array(left), client, fc.array(ours), (spoofed, [address, hop], chain) => {
        const told = [hop, ...chain].map((each) => `for="${each}";proto=http`)
        const headers = { forwarded: [...spoofed, ...told].join(', ') }
        assert.equal(clientAddress(PROXY, headers, proxies), address)
      }),
      100,
    )
  })

  it('and whoever is not a trusted proxy changes nothing at all', async () => {
    await holds(
      fc.property(fc.array(left), (spoofed) => {
        const headers = { 'x-forwarded-for': spoofed.join(), forwarded: spoofed.join() }
        assert.equal(clientAddress(STRANGER, headers, proxies), STRANGER)
      }),
      100,
    )
  })
})
