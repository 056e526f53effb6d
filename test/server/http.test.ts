import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon, until } from '../support/daemon.ts'
import { accepted, call, open as connectTo, type HttpQuestion, http, mint, raw } from '../support/talk.ts'

const daemon = await startDaemon({ after })
/** The others are not cut off, however long the machine takes over a request. */
const hurried = await startDaemon(
  { after },
  { config: '[limits]\nheader_timeout = "1s"\nbody_timeout = "2s"\n' },
)
const CALL = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'

for (const door of ['unix', 'tcp'] as const) {
  describe(`HTTP on ${door}`, () => {
    const ask = (body: string | Buffer | undefined, question: HttpQuestion = {}) =>
      http(daemon, body, { door, ...question })
    const status = async (body: string | undefined, question: HttpQuestion) =>
      (await ask(body, question)).status

    it('answers calls on /api/ and /api', async () => {
      for (const path of ['/api/', '/api', '/api/?x=1']) assert.equal(await status(CALL, { path }), 401)
    })

    it('answers what is nowhere with 404 and a JSON-RPC error', async () => {
      const { status, json } = await ask(CALL, { path: '/api/x' })
      assert.deepEqual([status, json.error?.code, json.id], [404, -32600, null])
    })

    it('answers every other verb with 405 and Allow', async () => {
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
        const { status, headers, body } = await ask(undefined, { method })
        assert.deepEqual([status, headers.allow, body === ''], [405, 'POST', method === 'HEAD'])
      }
      assert.equal((await ask(CALL, { path: '/healthz' })).headers.allow, 'GET, HEAD')
    })

    it('says that it is well, without credential and without content', async () => {
      for (const path of ['/healthz', '/readyz']) {
        for (const method of ['GET', 'HEAD']) {
          const { status, body } = await ask(undefined, { method, path })
          assert.deepEqual([status, body], [200, ''])
        }
      }
    })

    it('takes JSON under its three names and nothing else', async () => {
      const types = [
        'application/json',
        'Application/JSON; charset=UTF-8',
        'application/json-rpc',
        'application/jsonrequest',
        'application/json;charset="utf-8"',
      ]
      for (const type of types)
        assert.equal(await status(CALL, { headers: { 'Content-Type': type } }), 401, type)
      const others = [
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/json; charset=latin1',
        'application/jsonx',
        '',
      ]
      for (const type of others)
        assert.equal(await status(CALL, { headers: { 'Content-Type': type } }), 415, type)
      assert.equal(await status(CALL, { headers: { 'Content-Encoding': 'gzip' } }), 415)
    })

    it('challenges who shows nothing, and names the error to who shows something', async () => {
      const challenge = async (question: HttpQuestion) =>
        (await ask(CALL, question)).headers['www-authenticate']
      assert.equal(await challenge({}), 'Bearer realm="postern"')
      assert.equal(await challenge({ token: 'nonsense' }), 'Bearer realm="postern", error="invalid_token"')
      assert.equal(
        await challenge({ headers: { Authorization: 'Bearer' } }),
        'Bearer realm="postern", error="invalid_token"',
      )
      const inParams = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","params":{"Token":"x"},"id":1}'
      assert.equal(
        (await ask(inParams)).headers['www-authenticate'],
        'Bearer realm="postern", error="invalid_token"',
      )
    })

    it('knows the scheme in any case, and more than one space', async () => {
      const token = await mint(daemon)
      for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR', 'Bearer  ']) {
        assert.equal(await status(CALL, { headers: { Authorization: `${scheme} ${token}` } }), 200, scheme)
      }
      assert.equal(await status(CALL, { headers: { Authorization: `Basic ${token}` } }), 401)
    })

    it('takes a Token in the params of each call, and removes it before it validates', async () => {
      const token = await mint(daemon)
      const one = { jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI', params: { Token: token } }
      assert.equal(await status(JSON.stringify(one), {}), 200)
      const { json } = await ask(
        JSON.stringify([one, { ...one, id: 2, params: {} }, { ...one, id: 3, params: { Token: null } }]),
      )
      assert.deepEqual(
        (json as unknown as { error?: { code: number } }[]).map(({ error }) => error?.code),
        [undefined, -32001, -32001],
      )
    })

    it('refuses a request with two credentials as a whole', async () => {
      const token = await mint(daemon)
      const body = JSON.stringify([
        { jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI', params: { Token: token } },
      ])
      const { status, json } = await ask(body, { token })
      assert.deepEqual([status, json.error?.code, json.id], [400, -32600, null])
      const head = `POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}\r\nauthorization: Bearer ${token}\r\nContent-Length: ${CALL.length}\r\n\r\n`
      assert.match(await raw(daemon, head + CALL, { door }), /^HTTP\/1.1 400 [\s\S]*one Authorization/)
    })

    it('refuses a credential in the URL, however its name is written', async () => {
      const token = await mint(daemon)
      for (const name of ['token', 'access_token', 'Token', '%74oken', 'x=1&access%5ftoken']) {
        assert.equal(await status(CALL, { path: `/api/?${name}=${token}` }), 400, name)
      }
    })

    it('answers 413 to a body over the limit, announced or not, and the sender gets to read it', async () => {
      const large = `{"x":"${'x'.repeat(2 * 1024 * 1024)}"}`
      assert.equal(await status(large, {}), 413)
      assert.equal(await status(large, { headers: { 'Transfer-Encoding': 'chunked' } }), 413)
      assert.equal(await status(large, { headers: { Expect: '100-continue' } }), 413)
    })

    it('answers what cannot be parsed with 400 and a JSON-RPC error', async () => {
      const malformed = [
        'GARBAGE\r\n\r\n',
        'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
        'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
        'POST /api/ HTTP/1.1\r\nHost : a\r\n\r\n',
        'POST /api/ HTTP/1.1\r\n\r\n',
        'POST /api/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      ]
      for (const bytes of malformed) {
        const answer = await raw(daemon, bytes, { door })
        assert.match(answer, /^HTTP\/1.1 400 [\s\S]*"code":-32600/, bytes)
      }
    })

    it('answers 431 to a head over the limit, and sees a header behind two thousand others', async () => {
      const head = (fields: string) =>
        `POST /api/ HTTP/1.1\r\nHost: localhost:${daemon.port}\r\nContent-Type: application/json\r\n${fields}`
      assert.match(
        await raw(daemon, head(`X: ${'x'.repeat(17_000)}\r\n\r\n`), { door }),
        /^HTTP\/1.1 431 [\s\S]*-32600/,
      )
      const mintCall = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":[60],"id":1}'
      const many = `${'a:\r\n'.repeat(2500)}Via: x\r\nContent-Length: ${mintCall.length}\r\n\r\n${mintCall}`
      assert.match(await raw(daemon, head(many), { door }), /^HTTP\/1.1 403 /)
    })

    it('cuts off who sends the head, or the body, too slowly', async () => {
      assert.match(
        await raw(hurried, 'POST /api/ HTTP/1.1\r\nHost: a\r\n', { door, end: false }),
        /^HTTP\/1.1 408 /,
      )
      const begun =
        'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{'
      assert.match(await raw(hurried, begun, { door, end: false }), /^HTTP\/1.1 408 /)
    })

    it('answers pipelined requests in their order', async () => {
      const one = (id: number) => {
        const body = `{"jsonrpc":"2.0","method":"nope","id":${id}}`
        return `POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      }
      const text = await raw(daemon, Array.from({ length: 20 }, (_, id) => one(id)).join(''), {
        door,
        end: false,
        enough: (seen) => seen.includes('"id":19}'),
      })
      assert.deepEqual(
        [...text.matchAll(/"id":(\d+)}/g)].map(([, id]) => Number(id)),
        Array.from({ length: 20 }, (_, id) => id),
      )
    })

    it('ignores an offer of HTTP/2 and answers the request that carries it', async () => {
      const body = '{"jsonrpc":"2.0","method":"nope","id":8}'
      const request = `POST /api/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      const answer = await raw(daemon, request, {
        door,
        end: false,
        enough: (seen) => seen.includes('"id":8}'),
      })
      assert.match(answer, /^HTTP\/1.1 400 [\s\S]*-32601/)
    })

    it('serves HTTP/1.0 and the absolute form of a target', async () => {
      const rest = `Content-Type: application/json\r\nContent-Length: ${CALL.length}\r\n\r\n${CALL}`
      assert.match(await raw(daemon, `POST /api/ HTTP/1.0\r\n${rest}`, { door }), /^HTTP\/1.1 401 /)
      assert.match(
        await raw(daemon, `POST http://evil.test/api/ HTTP/1.1\r\nHost: evil.test\r\n${rest}`, { door }),
        /^HTTP\/1.1 401 /,
      )
    })

    it('ends a tunnel before it begins', async () => {
      assert.match(
        await raw(daemon, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', { door }),
        /^HTTP\/1.1 405 [\s\S]*Allow: POST/,
      )
    })

    it('answers 417 to an expectation it does not know', async () => {
      assert.equal(await status(CALL, { headers: { Expect: 'miracles' } }), 417)
    })
  })
}

it('a dead token looks like an unknown one, to the letter', async () => {
  const revoked = await mint(daemon)
  await call(daemon, 'Auth.RevokeApiToken', undefined, { token: revoked })
  const expired = await mint(daemon, { ttl: 1 })
  while (await accepted(daemon, expired)) await new Promise((resolve) => setTimeout(resolve, 50))
  const unknown = 'pst_0000000000000000000000000000000000000000000000000'
  const answers = await Promise.all(
    [revoked, expired, unknown, 'malformed', 'a'.repeat(64)].map(async (token) => {
      const { status, headers, body } = await http(daemon, CALL, { token })
      const { date: _, ...rest } = headers
      return JSON.stringify([status, rest, body])
    }),
  )
  assert.equal(new Set(answers).size, 1, answers.join('\n'))
})

for (const door of ['unix', 'tcp'] as const) {
  describe(`behind a pipelined call on ${door}`, () => {
    const body = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":[60],"id":7}'
    const mintRequest = `POST /api/ HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    const both = (second: string, enough?: (text: string) => boolean) =>
      raw(daemon, mintRequest + second, { door, end: false, ...(enough && { enough }) })

    for (const [name, garbage, answer] of [
      ['garbage', 'GARBAGE\r\n\r\n', 400],
      ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405],
    ] as const) {
      it(`${name} is refused after the call is answered`, async () => {
        const text = await both(garbage)
        assert.match(text, new RegExp(`^HTTP/1.1 200 [\\s\\S]*"result":"pst_[\\s\\S]*HTTP/1.1 ${answer} `))
      })
    }

    it('an upgrade waits for the answer', async () => {
      const upgrade =
        'GET /api/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
      const text = await both(upgrade, (seen) => seen.includes('101 '))
      assert.match(text, /^HTTP\/1.1 200 [\s\S]*"result":"pst_[\s\S]*"id":7}HTTP\/1.1 101 /)
    })

    it('a call that offers HTTP/2 is answered, too', async () => {
      const offer = mintRequest
        .replace('Content-Type', 'Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Type')
        .replace(':7}', ':8}')
      const text = await both(offer, (seen) => seen.includes('"id":8}'))
      assert.deepEqual(
        [...text.matchAll(/"id":(\d)}/g)].map(([, id]) => id),
        ['7', '8'],
      )
    })

    it('a thousand more are answered in order, whatever the limit', async () => {
      const text = await both(
        mintRequest.repeat(999),
        (seen) => (seen.match(/"id":7}/g)?.length ?? 0) === 1000,
      )
      assert.equal(text.match(/HTTP\/1.1 200 /g)?.length, 1000)
    })
  })
}

it('a half-closed HTTP client gets its answer', async () => {
  const request = `POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${CALL.length}\r\n\r\n${CALL}`
  assert.match(await raw(daemon, request), /^HTTP\/1.1 401 /)
})

it('a handshake that is none is refused in JSON, with the version that is understood', async () => {
  const upgrade = (version: string, key: string) =>
    `GET /api/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: ${key}\r\n\r\n`
  assert.match(
    await raw(daemon, upgrade('12', 'dGhlIHNhbXBsZSBub25jZQ=='), { end: false }),
    /^HTTP\/1.1 426 [\s\S]*Sec-WebSocket-Version: 13[\s\S]*-32600/,
  )
  assert.match(await raw(daemon, upgrade('13', 'short'), { end: false }), /^HTTP\/1.1 400 [\s\S]*-32600/)
})

for (const door of ['unix', 'tcp'] as const) {
  it(`abrupt ends in the middle of pipelined calls on ${door} end nothing else`, async () => {
    const head = `POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${CALL.length}\r\n`
    const one = `${head}\r\n${CALL}`
    const upgrade = 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'
    const attacks: [string, string][] = [
      [one.repeat(3) + one.slice(0, -20), one.slice(-20)],
      [one.repeat(600), ''],
      [`${one}${head}Expect: 100-continue\r\n\r\n`, CALL],
      [`${head}Expect: 100-continue\r\n\r\n${CALL}${upgrade}`, ''],
      [one + upgrade, upgrade],
    ]
    for (let round = 0; round < 30; round++) {
      for (const [first, second] of attacks) {
        await new Promise<void>((done) => {
          const socket = connectTo(daemon, door)
          socket.on('error', () => {}).on('close', () => done())
          socket.write(first)
          socket.write(second, () =>
            door === 'tcp' && round % 2 === 0 ? socket.resetAndDestroy() : socket.destroy(),
          )
        })
      }
    }
    const token = await mint(daemon)
    const connections = async () => {
      const { json } = await call(daemon, 'system.info', undefined, { token })
      return (json.result as { counts: { connections: number } }).counts.connections
    }
    await until('no connection is left over', async () => (await connections()) <= 2)
  })

  it(`requests that offer HTTP/2 are answered in order on ${door}, however they follow each other`, async () => {
    const plain = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'
    const offer = plain.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
    for (const requests of [offer + offer + plain, plain + plain + offer, offer + plain + offer]) {
      const text = await raw(daemon, requests, {
        door,
        end: false,
        enough: (seen) => seen.split('HTTP/1.1 200').length === 4,
      })
      assert.equal(text.split('HTTP/1.1 200').length, 4)
    }
  })
}
