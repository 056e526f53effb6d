import assert from 'node:assert/strict'
import { once } from 'node:events'
import { it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { Address, handshake, makeCertificate } from '../support/remote.ts'
import { mint } from '../support/talk.ts'

/** A text frame of a client, whose mask is zeros. */
function frame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
}

it('a WebSocket whose handshake waited for answers in front of it goes on being read, behind TLS too', async (t) => {
  const directory = temporaryDirectory(t)
  const { cert, key } = await makeCertificate(directory, 'upgrade')
  const place = new Address(cert)
  const daemon = await startDaemon(t, {
    directory,
    config: `[[remote]]\nlisten = "${place}"\ncert = "${cert}"\nkey = "${key}"\n`,
  })
  const token = `Authorization: Bearer ${await mint(daemon)}\r\n`
  const body = '{"jsonrpc":"2.0","id":0,"method":"Auth.WhoAmI"}'
  const call = `POST /api/ HTTP/1.1\r\nHost: a\r\n${token}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const upgrade = `GET /api/ HTTP/1.1\r\nHost: a\r\n${token}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
  const sockets = await Promise.all(Array.from({ length: 60 }, () => handshake(t, place)))
  const answered = sockets.map(async (socket) => {
    let text = ''
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more
      if (text.includes('"id":6}')) socket.end()
    })
    socket.write(call + call + upgrade)
    for (let id = 1; id <= 6; id++) {
      socket.write(frame(body.replace('"id":0', `"id":${id}`)))
      if (id % 3 === 0) await nextTurn()
    }
    await once(socket, 'close')
    return [...text.matchAll(/"id":([1-6])\}/g)].map(([, id]) => id)
  })
  for (const ids of await Promise.all(answered)) assert.deepEqual(ids.sort(), ['1', '2', '3', '4', '5', '6'])
})
