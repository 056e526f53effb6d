import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { type Daemon, startDaemon, until } from '../support/daemon.ts'
import { ok } from '../support/lives.ts'
import { http, mint, open, raw } from '../support/talk.ts'

const DOORS = ['unix', 'tcp'] as const

function post(token: string, method: string): string {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: {} })
  const head = `POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}\r\n`
  return `${head}Content-Length: ${body.length}\r\n\r\n${body}`
}

function get(token: string, path: string, fields = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${fields}\r\n`
}

/** A connection on which a call was answered, and what comes behind that answer. */
async function known(daemon: Daemon, door: 'unix' | 'tcp', token: string) {
  const socket: Socket = open(daemon, door)
  const heard = { text: '', ended: false }
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard.text += text
  })
  socket
    .on('error', () => {})
    .on('close', () => {
      heard.ended = true
    })
  socket.on('end', () => socket.end())
  socket.write(post(token, 'Auth.WhoAmI'))
  await until('the first answer', () => heard.text.endsWith('}'))
  heard.text = ''
  return { socket, heard }
}

function statuses(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status as string)
}

describe('when it is asked to stop', () => {
  it('all that was taken on a connection is answered, though it came in the same moment', async (t) => {
    const daemon = await startDaemon(t)
    const token = await mint(daemon)
    const [one, other] = [await known(daemon, 'unix', token), await known(daemon, 'tcp', token)]
    // While it stands still, both arrive: the calls, and the signal that is looked at behind them.
    daemon.process.kill('SIGSTOP')
    one.socket.write(post(token, 'Auth.WhoAmI').repeat(3))
    other.socket.write(get(token, '/auth').repeat(2) + post(token, 'Auth.WhoAmI'))
    const stopped = daemon.stop()
    daemon.process.kill('SIGCONT')
    assert.equal(await stopped, 0)
    await until('both have ended', () => one.heard.ended && other.heard.ended)
    assert.deepEqual(statuses(one.heard.text), ['200', '200', '200'])
    assert.deepEqual(statuses(other.heard.text), ['204', '204', '200'])
  })

  it('an answer that is just being read is read to its end, and so is the one behind it', async (t) => {
    const daemon = await startDaemon(t)
    const description = 'd'.repeat(1000)
    const token = await mint(daemon)
    // In one request: beyond the listener's backlog of connections the kernel turns others away.
    const all = Array.from({ length: 800 }, (_, n) => ({ name: `t${n}`, description }))
    await ok(daemon, 'token.create', all, token)
    const { socket, heard } = await known(daemon, 'unix', token)
    socket.pause()
    socket.write(post(token, 'token.get') + post(token, 'Auth.WhoAmI'))
    await until('it is being answered', () => socket.readableLength > 0)
    const stopped = daemon.stop()
    await until('it is stopping', () => daemon.log().includes('stopping'))
    socket.resume()
    assert.equal(await stopped, 0)
    await until('it has ended', () => heard.ended)
    assert.deepEqual(statuses(heard.text), ['200', '200'])
    assert.ok(heard.text.endsWith('}'))
  })
})

for (const door of DOORS) {
  it(`what cannot be parsed takes no answer with it that is due on ${door}`, async (t) => {
    const daemon = await startDaemon(t)
    const token = await mint(daemon)
    const call = post(token, 'Auth.WhoAmI')
    const chunked = 'Transfer-Encoding: chunked\r\n'
    for (const [path, status] of [
      ['/auth', '204'],
      ['/healthz', '200'],
      ['/nowhere', '404'],
    ] as const) {
      // The last one is answered before its body is looked at: who is known does not wait for a turn.
      const { socket, heard } = await known(daemon, door, token)
      socket.write(`${call}${call}${get(token, path, chunked)}nonsense\r\n`)
      await until('it has ended', () => heard.ended)
      assert.deepEqual(statuses(heard.text), ['200', '200', status], path)
    }
  })

  it(`nor that of a stranger who waits for a turn on ${door}, that of the faulty one included`, async (t) => {
    const daemon = await startDaemon(t)
    const token = await mint(daemon)
    const call = post(token, 'Auth.WhoAmI')
    const batch = JSON.stringify(
      Array.from({ length: 500 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'x' })),
    )
    const head = 'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
    const costly = `${head}Content-Length: ${batch.length}\r\n\r\n${batch}`
    const regular = (await known(daemon, door, token)).socket
    // Where somebody is served whom it knows, strangers like these take up what strangers may have in a turn.
    const crowd = Array.from({ length: 8 }, () =>
      open(daemon, door)
        .on('error', () => {})
        .resume(),
    )
    t.after(() => {
      for (const socket of [regular, ...crowd]) socket.destroy()
    })
    for (const path of ['/auth', '/healthz', '/nowhere', '/auth', '/healthz', '/nowhere']) {
      regular.write(call.repeat(20))
      for (const socket of crowd) socket.write(costly)
      const bytes = `${call}${call}${get(token, path, 'Transfer-Encoding: chunked\r\n')}nonsense\r\n`
      const answer = raw(daemon, bytes, { door, end: false })
      const [first, second, third, ...more] = statuses(await answer)
      assert.deepEqual([first, second, more], ['200', '200', []], path)
      assert.match(String(third), path === '/healthz' ? /200|400/ : path === '/auth' ? /204|400/ : /40[04]/)
    }
  })
}

for (const door of DOORS) {
  it(`calls behind the last answer of a connection on ${door} harm nobody, however they arrive`, async (t) => {
    const daemon = await startDaemon(t)
    const token = await mint(daemon)
    // Who expects to be told to go on, and is not, gets the last answer: what is behind it is to be sent again.
    const last = get(token, '/healthz', 'Expect: 100-continue\r\n')
    const call = post(token, 'Auth.WhoAmI')
    const [head] = post('none', '').split('{') as [string]
    const faulty = `${head.replace(/Content-Length: \d+/, 'Content-Length: 1')}\xff`
    const pieces = [faulty + last + get(token, '/nowhere') + call + call, call]
    for (let n = 0; n < 40; n++) {
      const socket = open(daemon, door)
      const closed = new Promise((resolve) => socket.on('error', () => {}).on('close', resolve))
      socket.resume().on('end', () => socket.end())
      for (const piece of pieces) {
        socket.write(Buffer.from(piece, 'latin1'))
        await new Promise((resolve) => setTimeout(resolve, n % 3))
      }
      await closed
    }
    assert.equal((await http(daemon, undefined, { door, method: 'GET', path: '/healthz' })).status, 200)
  })
}
