import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { http, raw } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: '[limits]\nbody = "8KiB"\n' })
const HEAD =
  'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'

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
  })
}
