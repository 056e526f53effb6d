import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { after, describe, it } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import { startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { ok } from '../support/lives.ts'
import { Address, makeCertificate } from '../support/remote.ts'
import { needsProgram } from '../support/root.ts'
import { mint } from '../support/talk.ts'

/** As many as one address may have: the next would be turned away. */
const ALL = 256

describe('whoever leaves a TLS handshake', needsProgram('openssl'), async () => {
  const directory = temporaryDirectory({ after })
  const { cert, key } = await makeCertificate(directory, 'live')
  const secure = new Address(cert)
  const remote = `[[remote]]\nlisten = "${secure}"\ncert = "${cert}"\nkey = "${key}"\n`
  // So long that it is not what ends a connection here.
  const daemon = await startDaemon(
    { after },
    { directory, config: `[limits]\nheader_timeout = "1h"\n${remote}` },
  )
  const token = await mint(daemon)
  const connections = async () =>
    (await ok<{ counts: { connections: number } }>(daemon, 'system.info', {}, token)).counts.connections

  const secured = async (options: ConnectionOptions = {}) => {
    const socket = connect({ ...secure.options, ...options })
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    socket.destroy()
  }
  const ways: Readonly<Record<string, () => Promise<unknown>>> = {
    'as soon as it stands': () => secured(),
    'as soon as it stands (TLS 1.2)': () => secured({ maxVersion: 'TLSv1.2' }),
    'in its middle': async () => {
      const socket = connect(secure.options)
      socket.on('error', () => {})
      await once(socket, 'connect')
      await new Promise((resolve) => setImmediate(resolve)) // the hello is on its way
      socket.destroy()
    },
    'before it begins': async () => {
      const socket = connectPlain(secure.port, secure.host)
      await once(socket, 'connect')
      socket.destroy()
    },
  }

  for (const [when, leave] of Object.entries(ways))
    it(`${when} takes up no place any more`, async () => {
      await Promise.all(Array.from({ length: ALL - 1 }, leave))
      await until('all are gone', async () => (await connections()) === 1)
      assert.equal(await connections(), 1, 'the one that asks')
    })
})
