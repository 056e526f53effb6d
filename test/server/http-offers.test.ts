import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { startDaemon } from '../support/daemon.ts'
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
      const question = 'GET /auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer pst_unknown\r\n\r\n'
      const heard = await Promise.all(
        Array.from({ length: 60 }, async () => {
          const socket = open(daemon, door)
          t.after(() => socket.destroy())
          let text = ''
          const ended = new Promise((resolve) => socket.on('close', resolve))
          socket.setEncoding('latin1').on('data', (more: string) => {
            text += more
          })
          socket.on('end', () => socket.end())
          socket.write(question + question + call('pst_unknown', OFFER))
          for (let turn = 0; turn < 3; turn++) {
            await nextTurn()
            socket.write(call('pst_unknown'))
          }
          socket.write(call('pst_unknown', 'Connection: close\r\n'))
          await ended
          return statuses(text).length
        }),
      )
      assert.deepEqual(heard, Array(60).fill(7))
    })
  })
}
