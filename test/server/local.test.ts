import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { logged, startDaemon } from '../support/daemon.ts'
import { assertForbidden, assertMinted, mintAs, mintLine } from '../support/minting.ts'
import { needsRoot, STRANGER } from '../support/root.ts'
import { call, http, mint, raw, UpgradeRefused, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const MINT = mintLine()

describe('on loopback TCP', () => {
  it('root and the daemon’s own user may mint', async () => {
    assertMinted(await http(daemon, MINT, { door: 'tcp' }))
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
    await logged(daemon, /the request comes from a browser \(origin\)/)
  })

  it('another user of the host does not mint', needsRoot('python3'), async () => {
    assertForbidden(await mintAs(STRANGER, daemon, 'tcp'))
    await logged(daemon, /uid 54321 is no operator/)
  })
})

describe('on the Unix socket', () => {
  it('any Host and any Origin mint: no browser reaches it', async () => {
    assertMinted(await http(daemon, MINT, { headers: { Host: 'evil.test', Origin: 'http://evil.test' } }))
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
