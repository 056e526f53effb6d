import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { run, startDaemon } from '../support/daemon.ts'
import { call, http, mint, raw, UpgradeRefused, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const MINT = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":{"ttl":60},"id":1}'

async function mintWith(head: string, door: 'unix' | 'tcp' = 'tcp', target = '/api/'): Promise<number> {
  const request = `POST ${target} HTTP/1.1\r\n${head}Content-Type: application/json\r\nConnection: close\r\nContent-Length: ${MINT.length}\r\n\r\n${MINT}`
  const answer = await raw(daemon, request, { door, end: false })
  return Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1])
}
const host = `Host: 127.0.0.1:${daemon.port}\r\n`

describe('on loopback TCP', () => {
  it('root and the daemon’s own user may mint', async () => {
    assert.equal(await mintWith(host), 200)
  })

  const names: [host: string, status: number][] = [
    ['localhost:PORT', 200],
    ['LocalHost:PORT', 200],
    ['[::1]:PORT', 200],
    ['localhost', 403],
    ['127.0.0.1', 403],
    ['127.0.0.1:1', 403],
    ['127.0.0.1:PORT.', 403],
    ['127.0.0.2:PORT', 403],
    ['localhost.:PORT', 403],
    ['LOCALHOST.', 403],
    ['127.0.0.1.evil.test:PORT', 403],
    ['evil.test:PORT', 403],
    ['evil.test', 403],
    ['[::ffff:127.0.0.1]:PORT', 403],
    ['0.0.0.0:PORT', 403],
    ['127.1:PORT', 403],
    ['2130706433:PORT', 403],
    ['user@127.0.0.1:PORT', 403],
    ['', 403],
  ]
  for (const [name, status] of names) {
    it(`Host "${name}" is answered with ${status}`, async () => {
      assert.equal(await mintWith(`Host: ${name.replace('PORT', String(daemon.port))}\r\n`), status)
    })
  }

  it('no Host, two of them, and another authority in the target do not mint', async () => {
    assert.equal(await mintWith(''), 400)
    assert.equal(await mintWith(host + host), 400)
    assert.equal(await mintWith(host, 'tcp', 'http://evil.test/api/'), 403)
    assert.equal(await mintWith(host, 'tcp', `http://localhost:${daemon.port}/api/`), 200)
  })

  const BROWSER = [
    'Origin: null',
    'Origin: http://localhost',
    'Referer: http://a/',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: cors',
    'Access-Control-Request-Method: POST',
    'access-control-request-headers: x',
  ]
  for (const header of BROWSER) {
    it(`a browser's ${header} does not mint`, async () => {
      assert.equal(await mintWith(`${host}${header}\r\n`), 403)
    })
  }

  it('a navigation by hand is no sign of a page', async () => {
    assert.equal(await mintWith(`${host}Sec-Fetch-Site: none\r\n`), 200)
  })

  it('who is not local may call with a token like anybody', async () => {
    const token = await mint(daemon)
    const { status } = await call(daemon, 'Auth.WhoAmI', undefined, {
      door: 'tcp',
      token,
      headers: { Host: 'evil.test', Origin: 'http://evil.test', 'X-Forwarded-For': '1.2.3.4' },
    })
    assert.equal(status, 200)
  })

  it('a token, however mighty, does not mint from elsewhere; and why is not told', async () => {
    const token = await mint(daemon)
    const { status, json } = await call(
      daemon,
      'Auth.CreateApiToken',
      { ttl: 60 },
      { door: 'tcp', token, headers: { Origin: 'http://x' } },
    )
    assert.deepEqual([status, json.error?.code], [403, -32003])
    assert.doesNotMatch(json.error?.data ?? '', /origin|browser/i)
    assert.match(daemon.log(), /the request comes from a browser \(origin\)/)
  })

  it('a WebSocket with a page’s Origin does not mint; one without does', async (t) => {
    const foreign = await webSocket(t, daemon, { door: 'tcp', headers: { Origin: 'http://evil.test' } })
    assert.equal((await foreign.call('Auth.CreateApiToken', [60])).error?.code, -32003)
    const own = await webSocket(t, daemon, { door: 'tcp' })
    assert.match(String((await own.call('Auth.CreateApiToken', [60])).result), /^pst_/)
  })

  const asNobody = { skip: process.getuid?.() !== 0 && 'takes another user: needs root', timeout: 60_000 }
  it('another user of the host does not mint', asNobody, async () => {
    const { stdout } = await run('/bin/sh', ['-c', `exec "${process.execPath}" --input-type=module`], {
      uid: 65_533,
      gid: 65_533,
      cwd: '/',
      input: `
        const res = await fetch('http://127.0.0.1:${daemon.port}/api/', { method: 'POST', headers: { 'content-type': 'application/json', 'sec-fetch-mode': 'x' }, body: ${JSON.stringify(MINT)} })
        console.log(res.status)`,
    })
    assert.equal(stdout.trim(), '403')
  })

  it('a client of another user that sends and closes at once does not mint', asNobody, async () => {
    const count = async () => {
      const { json } = await call(daemon, 'system.info', undefined, { token })
      return (json.result as { counts: { tokens: number } }).counts.tokens
    }
    const token = await mint(daemon)
    const before = await count()
    const request = `POST /api/ HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: ${MINT.length}\r\n\r\n${MINT}`
    await run(process.execPath, ['--input-type=module'], {
      uid: 65_533,
      gid: 65_533,
      cwd: '/',
      input: `
        import net from 'node:net'
        for (let n = 0; n < 200; n++) {
          await new Promise((done) => {
            const socket = net.connect(${daemon.port}, '127.0.0.1', () => socket.write(${JSON.stringify(request)}, () => socket.resetAndDestroy()))
            socket.on('close', done).on('error', () => {})
          })
        }`,
    })
    assert.equal(await count(), before)
  })
})

describe('on every door', () => {
  const FORWARDED = [
    'Forwarded: for=1.2.3.4',
    'X-Forwarded-For: 127.0.0.1',
    'x-forwarded-proto: https',
    'X-Real-IP: 127.0.0.1',
    'Via: 1.1 a',
    'X-Original-URL: /',
    'CF-Connecting-IP: 1.2.3.4',
    'True-Client-IP: ::1',
    'X-Client-IP: ::1',
    'X-Cluster-Client-IP: ::1',
  ]
  for (const header of FORWARDED) {
    it(`${header} does not mint`, async () => {
      assert.deepEqual(
        [await mintWith(`${host}${header}\r\n`), await mintWith(`${host}${header}\r\n`, 'unix')],
        [403, 403],
      )
    })
  }
})

describe('on the Unix socket', () => {
  it('any Host and any Origin mint: no browser reaches it', async () => {
    assert.equal(await mintWith('Host: evil.test\r\nOrigin: http://evil.test\r\n', 'unix'), 200)
  })

  it('the reason for a refusal is told', async () => {
    const { json } = await http(daemon, MINT, { headers: { Via: 'x' } })
    assert.match(json.error?.data ?? '', /forwarded \(via\)/)
  })

  it('a credential sent along is ignored, a dead one too', async () => {
    assert.equal((await http(daemon, MINT, { token: '<api-authorization-token>' })).status, 200)
  })

  it('WebSocket and newline JSON mint', async (t) => {
    const ws = await webSocket(t, daemon)
    assert.match(String((await ws.call('Auth.CreateApiToken', { ttl: 60 })).result), /^pst_/)
    assert.match(await raw(daemon, `${MINT}\n`), /"result":"pst_/)
  })
})

it('an upgrade with a dead token is refused with 401', async (t) => {
  const refused = webSocket(t, daemon, { headers: { Authorization: 'Bearer nonsense' } })
  await assert.rejects(refused, (error) => error instanceof UpgradeRefused && error.status === 401)
})
