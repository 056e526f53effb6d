import assert from 'node:assert/strict'
import { after, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { http, mint, open } from '../support/talk.ts'
import { accepted, Census } from '../support/workers.ts'

const WORKERS = 3
const AT_ONCE = 60

const daemon = await startDaemon({ after }, { config: `[listen]\nworkers = ${WORKERS}\n` })
const token = await mint(daemon)

for (const door of ['unix', 'tcp'] as const) {
  it(`connections that are opened at once are spread over the workers: ${door}`, async (t) => {
    const census = await Census.begin(t, daemon, token)
    const sockets = Array.from({ length: AT_ONCE }, () => open(daemon, door))
    t.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    const body = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
    const request = `POST /api/ HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    const answers = sockets.map(
      (socket) => new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data)))),
    )
    for (const socket of sockets) socket.write(request)
    for (const answer of await Promise.all(answers)) assert.match(answer, /^HTTP\/1.1 200 [\s\S]*"result"/)
    const counts = await census.take()
    assert.equal(counts.length, WORKERS)
    assert.ok(Math.max(...counts) <= 2 * Math.min(...counts), `${counts}`) // not one of them all
  })
}

it('who mints on a connection that was handed on is known by the kernel all the same', async (t) => {
  await Promise.all(Array.from({ length: 12 }, () => accepted(t, daemon)))
  for (const door of ['unix', 'tcp'] as const) {
    const body = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":[60],"id":1}'
    const all = await Promise.all(Array.from({ length: 12 }, () => http(daemon, body, { door })))
    for (const { status } of all) assert.equal(status, 200)
  }
})
