import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Scope, startDaemon } from '../support/daemon.ts'
import { mint, open, raw } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const token = await mint(daemon)
const body = '{"jsonrpc":"2.0","id":1,"method":"Auth.WhoAmI"}'
const OFFER = 'Connection: Upgrade\r\nUpgrade: h2c\r\n'

function call(credential: string, fields = ''): string {
  const head = `POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer ${credential}\r\n`
  return `${head}${fields}Content-Length: ${body.length}\r\n\r\n${body}`
}

function statuses(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status as string)
}

/** All of it has arrived when the daemon begins to read. */
async function saidInOneMoment(t: Scope, door: 'unix' | 'tcp', bytes: string): Promise<string> {
  const socket = open(daemon, door)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  let text = ''
  socket.setEncoding('latin1').on('data', (more: string) => {
    text += more
  })
  socket.on('end', () => socket.end())
  daemon.process.kill('SIGSTOP')
  socket.write(bytes)
  await nextTurn()
  daemon.process.kill('SIGCONT')
  await once(socket, 'close')
  return text
}

for (const door of ['unix', 'tcp'] as const) {
  describe(`an offer to speak something else that waits for an answer in front of it, on ${door}`, () => {
    it('is ignored, and its request answered, for who has said all they want to as well', async () => {
      for (const credential of [token, 'pst_unknown']) {
        const status = credential === token ? '200' : '401'
        const [one, other] = [call(credential), call(credential, OFFER)]
        for (const bytes of [one + other, one + one + other, other + other, other + one + other]) {
          const answers = statuses(await raw(daemon, bytes, { door }))
          assert.deepEqual(answers, Array(bytes.split('POST').length - 1).fill(status), bytes)
        }
      }
    })

    it('loses nothing of what is sent behind it in the meantime', async (t) => {
      // More than is read in one piece, in one moment: the end of it comes while the offer, of a stranger, waits.
      const long = call('pst_unknown', `X-Long: ${'x'.repeat(10_000)}\r\n`)
      const last = call('pst_unknown', 'Connection: close\r\n')
      const slow = 'GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer pst_unknown\r\n\r\n'
      const bytes = slow.repeat(2) + call('pst_unknown', OFFER) + long.repeat(12) + last
      const heard = Array.from({ length: 8 }, () => saidInOneMoment(t, door, bytes))
      for (const text of await Promise.all(heard)) assert.deepEqual(statuses(text), Array(16).fill('401'))
    })
  })
}
