import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startDaemon } from '../support/daemon.ts'
import { make } from '../support/lives.ts'
import { http, mint, raw } from '../support/talk.ts'
import { table, upstream } from '../support/upstreams.ts'

const fake = await upstream({ after }, 'http')
const daemon = await startDaemon({ after }, { config: `[limits]\nbody = "16KiB"\n${table(fake)}` })
const admin = await mint(daemon)
const { token } = await make(daemon, admin, { scopes: ['http.good'] })

const callOf = (method: string, params = '[]') =>
  `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`
const good = callOf('http.good')
const bad = callOf('http.bad')
const head = (lines: string[], by = token) =>
  `${['POST /api/ HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', `Authorization: Bearer ${by}`, ...lines].join('\r\n')}\r\n\r\n`
const chunked = (...texts: string[]) =>
  `${texts.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('')}0\r\n\r\n`

async function heard(work: () => Promise<unknown>): Promise<string[]> {
  const before = fake.heard.length
  await work()
  return fake.heard.slice(before).map(({ method }) => method)
}

describe('pitfall 14: what is authorized and what is passed on is one and the same', () => {
  const odd: Readonly<Record<string, string>> = {
    'Content-Length 0 with chunks': head(['Content-Length: 0', 'Transfer-Encoding: chunked']) + chunked(bad),
    'chunks with Content-Length 0': head(['Transfer-Encoding: chunked', 'Content-Length: 0']) + chunked(bad),
    'two lengths': head([`Content-Length: ${good.length}`, `Content-Length: ${good.length + 1}`]) + good,
    'a length that is none': head(['Content-Length: +10']) + bad,
    'a length in hexadecimal': head(['Content-Length: 0x40']) + bad,
    'chunks twice': head(['Transfer-Encoding: chunked, chunked']) + chunked(good),
    'chunks of an unknown kind': head(['Transfer-Encoding: xchunked']) + chunked(good),
    'chunks of an unheard-of size': `${head(['Transfer-Encoding: chunked'])}fffffffffffffffff\r\n${good}\r\n0\r\n\r\n`,
    'a body that ends too early': head([`Content-Length: ${good.length + 10}`]) + good,
    'half a body': head([`Content-Length: ${good.length}`]) + good.slice(0, 30),
    'chunks that end too early': `${head(['Transfer-Encoding: chunked'])}${good.length.toString(16)}\r\n${good}\r\n`,
    'no body': head(['Content-Length: 0']),
  }
  for (const [what, bytes] of Object.entries(odd)) {
    for (const door of ['unix', 'tcp'] as const) {
      it(`${what} reaches no upstream (${door})`, async () => {
        assert.deepEqual(await heard(() => raw(daemon, bytes, { door })), [])
      })
    }
  }

  for (const encoding of ['gzip', 'deflate', 'br', 'GZIP', 'gzip, identity', 'x-gzip']) {
    it(`a body in ${encoding} is refused, whatever it holds`, async () => {
      for (const body of [gzipSync(good), good]) {
        const calls = await heard(async () => {
          const { status } = await http(daemon, body, { token, headers: { 'Content-Encoding': encoding } })
          assert.equal(status, 415)
        })
        assert.deepEqual(calls, [])
      }
    })
  }

  it('a body beyond the limit is refused as a whole, announced or in chunks', async () => {
    const long = callOf('http.good', `["${'x'.repeat(20_000)}"]`)
    const padded = `${good}${' '.repeat(20_000)}`
    for (const body of [long, padded]) {
      const calls = await heard(async () => {
        assert.equal((await http(daemon, body, { token })).status, 413)
        const told = await raw(
          daemon,
          head(['Transfer-Encoding: chunked']) + chunked(body.slice(0, 9000), body.slice(9000)),
        )
        assert.match(told, /^HTTP\/1\.1 413 /)
      })
      assert.deepEqual(calls, [])
    }
  })

  it('a call in many pieces is judged as a whole', async () => {
    const pieces = (text: string) =>
      head(['Transfer-Encoding: chunked', 'Connection: close']) + chunked(...text)
    assert.deepEqual(await heard(() => raw(daemon, pieces(bad))), [])
    assert.deepEqual(await heard(() => raw(daemon, pieces(good))), ['http.good'])
  })

  it('a request behind another on one connection is identified by itself', async () => {
    const first = head([`Content-Length: ${good.length}`]) + good
    const anonymous = `POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${bad.length}\r\n\r\n${bad}`
    assert.deepEqual(await heard(() => raw(daemon, first + anonymous)), ['http.good'])
  })

  it('text that is no UTF-8 reaches no upstream', async () => {
    const body = Buffer.from(callOf('http.good', '["\xff"]'), 'latin1')
    assert.deepEqual(await heard(() => http(daemon, body, { token })), [])
  })
})
