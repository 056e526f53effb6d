import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { http, open, raw } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: '[limits]\nbody = "8KiB"\n' })
const HEAD =
  'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
/** So many strangers are not served in one turn of the event loop. */
const CROWD = 300

for (const door of ['unix', 'tcp'] as const) {
  describe(`two faults at once, on ${door}`, () => {
    it('a body over the limit that is malformed as well is refused once', async () => {
      const content = 'x'.repeat(9000)
      const answer = await raw(
        daemon,
        `${HEAD}${content.length.toString(16)}\r\n${content}\r\nnonsense\r\n`,
        { door },
      )
      assert.match(answer, /^HTTP\/1\.1 4\d\d /)
      assert.equal(answer.split('HTTP/1.1 ').length, 2)
      assert.equal((await http(daemon, undefined, { door, method: 'GET', path: '/healthz' })).status, 200)
    })

    it('an expectation that is not met is refused once, whatever is wrong with the body behind it', async () => {
      const head = HEAD.replace('\r\n\r\n', '\r\nExpect: nothing\r\n\r\n')
      const answer = await raw(daemon, `${head}nonsense\r\n`, { door })
      assert.match(answer, /^HTTP\/1\.1 417 /)
      assert.equal(answer.split('HTTP/1.1 ').length, 2)
    })

    it('nothing is answered behind an answer that is said to be the last', async () => {
      const last = 'GET /api_jsonrpc.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
      const answer = await raw(daemon, `${last}nonsense\r\n\r\n`, { door })
      assert.match(answer, /^HTTP\/1\.1 412 /)
      assert.equal(answer.split('HTTP/1.1 ').length, 2)
    })

    it('a body that breaks off while it waits for its turn, and would be too large, is refused once', async () => {
      const head = HEAD.replace('Transfer-Encoding: chunked', 'Content-Length: 9000')
      const crowd = await Promise.all(Array.from({ length: CROWD }, () => connected(door)))
      // What has arrived while it stood still comes at once: more than there is a turn for before the ends are seen.
      daemon.process.kill('SIGSTOP')
      for (const socket of crowd) socket.end(head)
      daemon.process.kill('SIGCONT')
      for (const answer of await Promise.all(crowd.map(heard))) {
        assert.match(answer, /^HTTP\/1\.1 4(00|13) /)
        assert.equal(answer.split('HTTP/1.1 ').length, 2)
      }
      assert.equal((await http(daemon, undefined, { door, method: 'GET', path: '/healthz' })).status, 200)
    })
  })
}

async function connected(door: 'unix' | 'tcp'): Promise<Socket> {
  const socket = open(daemon, door)
  await once(socket, 'connect')
  return socket
}

async function heard(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket.setEncoding('latin1')) text += chunk
  return text
}
