import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { assertForbidden, assertMinted, mintLine } from '../support/minting.ts'
import { type HttpAnswer, http, mint, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const token = await mint(daemon)
const MINT = mintLine()
const WHO = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
const ZABBIX = '/api_jsonrpc.php'

const fromPage = (headers: Record<string, string>, body = MINT) =>
  http(daemon, body, { door: 'tcp', headers })

function assertNothingGranted({ headers }: HttpAnswer): void {
  assert.deepEqual(
    Object.keys(headers).filter((name) => name.startsWith('access-control-')),
    [],
  )
}

describe('pitfall 3: a page in a browser on this host does not mint over TCP', () => {
  const signs: Record<string, string>[] = [
    { Origin: 'null' },
    { Origin: '' },
    { Origin: 'http://localhost' },
    { Origin: `http://127.0.0.1:${daemon.port}` },
    { Referer: 'http://evil.test/' },
    { Referer: '' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'same-origin' },
    { 'Sec-Fetch-Site': 'none, cross-site' },
    { 'Sec-Fetch-Site': 'NONE' },
    { 'Sec-Fetch-Mode': 'cors' },
    { 'Sec-Fetch-Mode': 'no-cors' },
    { 'Access-Control-Request-Method': 'POST' },
    { 'access-control-request-headers': 'x' },
    { 'Access-Control-Request-Private-Network': 'true' },
  ]
  for (const headers of signs) {
    it(`with ${JSON.stringify(headers)}, in HTTP or in a WebSocket`, async (t) => {
      const answer = await fromPage(headers)
      assertForbidden(answer)
      assertNothingGranted(answer)
      const ws = await webSocket(t, daemon, { door: 'tcp', headers })
      assert.equal((await ws.call('Auth.CreateApiToken', [60])).error?.code, -32003)
    })
  }

  it('while a script does, and so does a navigation by hand', async (t) => {
    assertMinted(await fromPage({}))
    assertMinted(await fromPage({ 'Sec-Fetch-Site': 'none' }))
    const ws = await webSocket(t, daemon, { door: 'tcp' })
    assert.match(String((await ws.call('Auth.CreateApiToken', [60])).result), /^pst_/)
  })
})

describe('pitfall 3: what a page may send without asking first is no call', () => {
  const simple = [
    'text/plain',
    'text/plain; charset=utf-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain; x=application/json',
    'application/json, text/plain',
    'application/jsonp',
    '',
  ]
  for (const type of simple) {
    it(`Content-Type "${type}" is refused before anything is read, on both doors and both paths`, async () => {
      for (const door of ['unix', 'tcp'] as const) {
        const headers = { 'Content-Type': type, Authorization: `Bearer ${token}` }
        const refused = await http(daemon, MINT, { door, headers })
        assert.deepEqual([refused.status, refused.json.error?.code], [415, -32600])
        const zabbix = await http(daemon, '{}', { door, headers, path: ZABBIX })
        assert.deepEqual([zabbix.status, zabbix.body], [412, ''])
        for (const answer of [refused, zabbix]) assertNothingGranted(answer)
      }
    })
  }

  it('a body without a Content-Type is none either', async () => {
    const answer = await http(daemon, undefined, { door: 'tcp' })
    assert.equal(answer.status, 415)
  })

  it('nor is GET, which a picture in a page sends', async () => {
    for (const path of ['/api/', `/api/?json=${encodeURIComponent(MINT)}`]) {
      const { status, headers } = await http(daemon, undefined, { door: 'tcp', method: 'GET', path })
      assert.deepEqual([status, headers.allow], [405, 'POST'])
    }
  })
})

describe('pitfall 3: a preflight is granted nothing', () => {
  const preflight = {
    Origin: 'https://evil.test',
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'authorization,content-type',
    'Access-Control-Request-Private-Network': 'true',
  }
  for (const path of ['/api/', ZABBIX, '/healthz', '/elsewhere']) {
    it(`for ${path}, and neither is what follows it`, async () => {
      for (const door of ['unix', 'tcp'] as const) {
        assertNothingGranted(
          await http(daemon, undefined, { door, method: 'OPTIONS', path, headers: preflight }),
        )
        assertNothingGranted(
          await http(daemon, WHO, { door, path, token, headers: { Origin: 'https://evil.test' } }),
        )
      }
    })
  }
})
