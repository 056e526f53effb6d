import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { walkAway } from '../../support/behind.ts'
import { type Daemon, type Scope, startDaemon, temporaryDirectory, until } from '../../support/daemon.ts'
import { makeCertificate } from '../../support/remote.ts'
import { call, mint } from '../../support/talk.ts'
import { table, upstream } from '../../support/upstreams.ts'
import { MiB, memoryOf } from '../../support/vitals.ts'

/** What it does about a request. `words`: puts in what $ID, $BODY (its answer), $LENGTH and $HEX (of that) stand for. */
type Script = (socket: Socket, words: (text: string) => string) => void

/** A server that says, byte for byte, what it is told to. */
async function scripted(t: Scope, script: Script): Promise<{ url: string; heard: string[] }> {
  const heard: string[] = []
  const server = createServer((socket) => {
    onRequest(socket, (text, id) => {
      heard.push(text)
      const body = `{"jsonrpc":"2.0","id":${id},"result":"own"}`
      const words = (said: string) =>
        said
          .replaceAll('$BODY', body)
          .replaceAll('$LENGTH', String(body.length))
          .replaceAll('$HEX', body.length.toString(16))
          .replaceAll('$ID', id)
      script(socket, words)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/rpc`, heard }
}

/** `take`: told of each whole request, and of the id in it. */
function onRequest(socket: Socket, take: (text: string, id: string) => void): void {
  let text = ''
  socket
    .on('error', () => {})
    .on('data', (chunk) => {
      text += chunk
      const [, id] = /\r\n\r\n.*"id":(\d+).*\}$/s.exec(text) ?? []
      if (id === undefined) return
      take(text, id)
      text = ''
    })
}

async function behind(
  t: Scope,
  url: string,
  more: Record<string, unknown> = {},
  env: Record<string, string> = {},
): Promise<{ daemon: Daemon; token: string }> {
  const daemon = await startDaemon(t, { config: table({ kind: 'http', url }, more), env })
  return { daemon, token: await mint(daemon) }
}

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: $LENGTH\r\n\r\n$BODY'

/** Answers of a server, and the status they come to. */
const ANSWERS: Readonly<Record<string, readonly [answer: string, status: number]>> = {
  'with a length': [GOOD, 200],
  'in chunks': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n$HEX\r\n$BODY\r\n0\r\n\r\n', 200],
  'in chunks without the last': [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n$HEX\r\n$BODY\r\n',
    502,
  ],
  'that is a refusal by its status too': [GOOD.replace('200 OK', '500 No'), 200],
  'behind early hints': [`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${GOOD}`, 200],
  'with two lengths': [GOOD.replace('\r\n', '\r\nContent-Length: 5\r\n'), 502],
  'with a length and in chunks': [GOOD.replace('\r\n', '\r\nTransfer-Encoding: chunked\r\n'), 502],
  'with a length that is no number': [GOOD.replace('$LENGTH', '+9'), 502],
  'that is shorter than its length': [GOOD.replace('$LENGTH', '9999'), 502],
  'with a head that does not end': [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`, 502],
  'in another protocol': [
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n$BODY',
    502,
  ],
  'that is no HTTP': ['$BODY', 502],
}

describe('an answer over HTTP', () => {
  for (const [what, [answer, status]] of Object.entries(ANSWERS)) {
    it(`${what} comes to ${status}`, async (t) => {
      const { url } = await scripted(t, (socket, words) => socket.end(words(answer)))
      const { daemon, token } = await behind(t, url)
      const told = await call(daemon, 'http.x', [], { token })
      assert.equal(told.status, status, told.body)
      assert.equal(told.json.result, status === 200 ? 'own' : undefined)
    })
  }

  it('up to the end of the connection is whole, as HTTP/1.0 has it', async (t) => {
    const { url } = await scripted(t, (socket, words) => socket.end(words('HTTP/1.0 200 OK\r\n\r\n$BODY')))
    const { daemon, token } = await behind(t, url)
    assert.equal((await call(daemon, 'http.x', [], { token })).json.result, 'own')
  })

  it('that is followed by another one never answers the next call', async (t) => {
    const next = '{"jsonrpc":"2.0","id":$NEXT,"result":"smuggled"}'
    const { url } = await scripted(t, (socket, words) => {
      const id = Number(words('$ID'))
      const more = next.replace('$NEXT', String(id + 1))
      socket.write(words(`${GOOD}HTTP/1.1 200 OK\r\nContent-Length: ${more.length}\r\n\r\n${more}`))
    })
    const { daemon, token } = await behind(t, url, { concurrency: 1 })
    for (let n = 0; n < 10; n++) {
      const { status, json } = await call(daemon, 'http.x', [], { token })
      assert.ok([200, 502].includes(status))
      assert.notEqual(json.result, 'smuggled')
    }
  })

  it('to an earlier call is the last thing that its connection is believed', async (t) => {
    const last = new Map<Socket, string>()
    const { url } = await scripted(t, (socket, words) => {
      const answer = words(GOOD)
      socket.write(last.get(socket) ?? answer) // one call behind, from the second on
      last.set(socket, answer)
    })
    const { daemon, token } = await behind(t, url, { concurrency: 1 })
    const statuses: number[] = []
    for (let n = 0; n < 4; n++) statuses.push((await call(daemon, 'http.x', [], { token })).status)
    assert.deepEqual(statuses, [200, 502, 200, 502])
  })

  it('in the smallest pieces takes little more memory than it is long', async (t) => {
    const pieces = Buffer.from('1\r\n \r\n'.repeat(4 * MiB))
    const { url } = await scripted(t, (socket, words) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      socket.write(pieces)
      socket.write(words('$HEX\r\n$BODY\r\n0\r\n\r\n'))
    })
    const { daemon, token } = await behind(t, url, { timeout: '50s' })
    const before = memoryOf(daemon.pid)
    assert.equal((await call(daemon, 'http.x', [], { token })).json.result, 'own')
    const grown = memoryOf(daemon.pid) - before
    assert.ok(grown < 200 * MiB, `grew by ${Math.round(grown / MiB)} MiB`)
  })

  it('that leads elsewhere is not followed', async (t) => {
    const elsewhere = await upstream(t, 'http')
    for (const status of [301, 302, 303, 307, 308]) {
      const { url } = await scripted(t, (socket) =>
        socket.end(`HTTP/1.1 ${status} Moved\r\nLocation: ${elsewhere.url}\r\nContent-Length: 0\r\n\r\n`),
      )
      const { daemon, token } = await behind(t, url)
      assert.equal((await call(daemon, 'http.x', [], { token })).status, 502)
    }
    assert.deepEqual(elsewhere.heard, [])
  })
})

describe('a call over HTTP', () => {
  it('says where it goes, and what it is', async (t) => {
    const { url, heard } = await scripted(t, (socket, words) => socket.end(words(GOOD)))
    const { daemon, token } = await behind(t, url)
    await call(daemon, 'http.x', [{ é: 1 }], { token })
    const [head = '', body = ''] = (heard[0] as string).split('\r\n\r\n')
    assert.match(head, /^POST \/rpc HTTP\/1\.1\r\n/)
    assert.match(head, new RegExp(`^host: ${new URL(url).host}\r?$`, 'im'))
    assert.match(head, /^content-type: application\/json\r?$/im)
    assert.match(head, new RegExp(`^content-length: ${Buffer.byteLength(body)}\r?$`, 'im'))
    assert.ok(!heard[0]?.includes(token))
  })

  it('whose caller goes away while its connection is opened is never sent', async (t) => {
    const directory = temporaryDirectory(t)
    const { cert, key } = await makeCertificate(directory, 'upstream', 'IP:127.0.0.1')
    const heard: string[] = []
    let over = 0
    const secure = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      socket.on('close', () => over++)
      onRequest(socket, (text, id) => {
        heard.push(text)
        const body = `{"id":${id},"result":1}`
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      })
    }).on('tlsClientError', () => over++)
    const held: Socket[] = []
    const server = createServer((socket) => held.push(socket.on('error', () => {})))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => void server.close())
    const { port } = server.address() as { port: number }
    const url = `https://127.0.0.1:${port}/rpc`
    const { daemon, token } = await behind(t, url, { concurrency: 1 }, { NODE_EXTRA_CA_CERTS: cert })
    const leave = walkAway(daemon, 'http.gone', token)
    await until('it connects', () => held.length === 1)
    leave()
    const next = call(daemon, 'http.here', [], { token })
    await until('the next one connects, since there is nobody before it any more', () => held.length === 2)
    for (const socket of held) secure.emit('connection', socket)
    assert.equal((await next).status, 200)
    await until('both connections are over', () => over === 2)
    assert.ok(heard.every((text) => !text.includes('gone')))
  })
})
