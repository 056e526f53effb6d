import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { refusal, type Scope, serveArguments, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { reload } from '../support/reload.ts'
import { Address, callAt, handshake, makeCertificate } from '../support/remote.ts'
import { needsProgram } from '../support/root.ts'
import { call, mint } from '../support/talk.ts'

const openssl = needsProgram('openssl')
const directory = temporaryDirectory({ after })
const { cert, key } = await makeCertificate(directory, 'good')
const other = await makeCertificate(directory, 'other')
const spoiled = join(directory, 'spoiled.crt')
writeFileSync(spoiled, 'no certificate')

describe('a [[remote]] that cannot be meant is refused at the start', openssl, () => {
  const tls = `cert = "${cert}"\nkey = "${key}"`
  const open = 'listen = "127.0.0.1:0"'
  const wrong: [what: string, config: string, complaint: RegExp][] = [
    [
      'beyond this host without TLS',
      'listen = "192.0.2.1:8443"',
      /can be reached from elsewhere.+\nhint: name cert and key/,
    ],
    ['on all of IPv4 without TLS', 'listen = "0.0.0.0:8443"', /can be reached from elsewhere/],
    ['on all of IPv6 without TLS', 'listen = "[::]:8443"', /can be reached from elsewhere/],
    [
      'on a mapped address without TLS',
      'listen = "[::ffff:192.0.2.1]:8443"',
      /can be reached from elsewhere/,
    ],
    ['nowhere', tls, /remote\[0\]: listen is missing/],
    [
      'on a name',
      'listen = "localhost:8443"',
      /listen is "localhost:8443", which is not an address with a port/,
    ],
    ['on a port alone', 'listen = "8443"', /listen is "8443", which is not/],
    ['on a port that is none', 'listen = "127.0.0.1:65536"', /listen is "127.0.0.1:65536", which is not/],
    ['on a relative path', 'listen = "unix:a.sock"', /listen is "unix:a.sock", which is not/],
    ['with a certificate alone', `${open}\ncert = "${cert}"`, /a certificate and its key\nhint: name both/],
    ['with a key alone', `${open}\nkey = "${key}"`, /a certificate and its key\nhint: name both/],
    ['with TLS on a Unix socket', `listen = "unix:/tmp/x.sock"\n${tls}`, /no TLS on a Unix socket/],
    [
      'with files that are not there',
      `${open}\ncert = "${directory}/no"\nkey = "${key}"`,
      /cannot read .+\/no/,
    ],
    [
      'with what is no certificate',
      `${open}\ncert = "${spoiled}"\nkey = "${key}"`,
      /spoiled.crt .+ cannot be used/,
    ],
    [
      'with the key of another one',
      `${open}\ncert = "${cert}"\nkey = "${other.key}"`,
      /cannot be used.+\nhint: they have to belong together/,
    ],
    [
      'with an unknown key',
      `${open}\ntrusted_proxy = []`,
      /unknown key trusted_proxy\nhint: did you mean trusted_proxies\?/,
    ],
    [
      'with a range that is none',
      `${open}\ntrusted_proxies = ["10.0.0.0/33"]`,
      /trusted_proxies is \["10.0.0.0\/33"\]/,
    ],
    [
      'with a name as proxy',
      `${open}\ntrusted_proxies = ["proxy.test"]`,
      /trusted_proxies is \["proxy.test"\]/,
    ],
  ]
  for (const [what, config, complaint] of wrong) {
    it(what, async (t) => {
      const args = serveArguments(temporaryDirectory(t), `[[remote]]\n${config}\n`)
      assert.match(await refusal(args), complaint)
    })
  }

  it('where another program listens', async (t) => {
    const place = new Address()
    const config = `[[remote]]\nlisten = "${place}"\n`
    const first = await startDaemon(t, { config })
    const complaint = new RegExp(`cannot listen on ${place}: already in use\nhint: `)
    assert.match(await refusal(serveArguments(temporaryDirectory(t), config)), complaint)
    await mint(first)
  })
})

it('a remote door that moves needs a restart; until then it stays where it is', async (t) => {
  const [here, there] = [new Address(), new Address()]
  const daemon = await startDaemon(t, { config: `[[remote]]\nlisten = "${here}"\n` })
  const token = await mint(daemon)
  assert.equal(await reload(daemon, `[[remote]]\nlisten = "${there}"\n`), 'taken')
  assert.match(daemon.log(), /"need_restart":\["remote"\]/)
  assert.equal((await callAt(here, 'Auth.WhoAmI', undefined, { token })).status, 200)
  await assert.rejects(callAt(there, 'Auth.WhoAmI', undefined, { token }), { code: 'ECONNREFUSED' })
})

describe('connections from one address', openssl, () => {
  const MOST = 3
  const CLIENT = '127.0.0.9'
  const doors = () => {
    const [secure, plain, proxied] = [new Address(cert), new Address(), new Address()]
    const config = `
      [limits]
      connections_per_address = ${MOST}
      [[remote]]
      listen = "${secure}"
      cert = "${cert}"
      key = "${key}"
      [[remote]]
      listen = "${plain}"
      [[remote]]
      listen = "${proxied}"
      trusted_proxies = ["${CLIENT}"]`
    return { secure, plain, proxied, config }
  }

  it('are counted on the remote door, and on all of its listeners together', async (t) => {
    const { secure, plain, proxied, config } = doors()
    const daemon = await startDaemon(t, { config })
    for (let n = 0; n < MOST; n++) await held(t, n % 2 === 0 ? secure : plain, CLIENT)
    const token = await mint(daemon) // and by now they have been let in
    const refused = await callAt(plain, 'Auth.WhoAmI', undefined, { token, from: CLIENT })
    assert.deepEqual([refused.status, refused.json.error?.code], [429, -32029])
    await assert.rejects(handshake(t, secure, { localAddress: CLIENT } as object))
    assert.equal((await call(daemon, 'Auth.WhoAmI', undefined, { token })).status, 200)
    assert.equal((await callAt(proxied, 'Auth.WhoAmI', undefined, { token, from: CLIENT })).status, 200)
  })

  it('of a trusted proxy are not limited', async (t) => {
    const { proxied, config } = doors()
    const daemon = await startDaemon(t, { config })
    for (let n = 0; n < MOST + 2; n++) await held(t, proxied, CLIENT)
    const token = await mint(daemon)
    assert.equal((await callAt(proxied, 'Auth.WhoAmI', undefined, { token, from: CLIENT })).status, 200)
  })

  it('of a trusted proxy on this host keep nobody from the other doors', async (t) => {
    const { plain, proxied, config } = doors()
    const daemon = await startDaemon(t, { config: config.replace(CLIENT, '127.0.0.1') })
    for (let n = 0; n < MOST; n++) await held(t, proxied, '127.0.0.1')
    const token = await mint(daemon)
    assert.equal((await call(daemon, 'Auth.WhoAmI', undefined, { token, door: 'tcp' })).status, 200)
    assert.equal((await callAt(plain, 'Auth.WhoAmI', undefined, { token })).status, 200)
  })
})

/** A connection that stays open and says nothing. */
async function held(t: Scope, { host, port }: Address, from: string): Promise<Socket> {
  const socket = connect({ host, port, localAddress: from })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}
