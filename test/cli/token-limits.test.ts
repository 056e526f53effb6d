import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { postern, startDaemon } from '../support/daemon.ts'
import { accepted, call, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const env = { POSTERN_SOCKET: daemon.socket }

async function cli(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await postern(args, { env })
  assert.equal(code, 0, stderr)
  return stdout.trim()
}
const json = async (...args: string[]) => JSON.parse(await cli(...args))
const status = async (token: string, method: string) =>
  (await call(daemon, method, undefined, { token })).status

describe('the commands of the README', () => {
  it('make a read-only token for a dashboard', async () => {
    const token = await cli(
      ...'token create dashboard --scope token.get Auth.WhoAmI --allow-ip 10.0.0.0/8 unix --rate 10 --burst 50 --idle-ttl 7d'.split(
        ' ',
      ),
    )
    assert.deepEqual([await status(token, 'token.get'), await status(token, 'user.get')], [200, 403])
    const shown = await json('token', 'show', 'dashboard')
    const { scopes, allowed_ips, rate_limit, idle_ttl, max_uses } = shown
    assert.deepEqual(
      [scopes, allowed_ips, rate_limit, idle_ttl, max_uses],
      [['token.get', 'Auth.WhoAmI'], ['10.0.0.0/8', 'unix'], { per_second: 10, burst: 50 }, 604_800, null],
    )
  })

  it('make a one-shot token for an installer', async () => {
    const token = await cli(...'mint --ttl 1h --max-uses 1 --name installer --replace'.split(' '))
    assert.deepEqual([await accepted(daemon, token), await accepted(daemon, token)], [true, false])
    const { max_uses, uses } = await json('token', 'show', 'installer')
    assert.deepEqual([max_uses, uses], [1, 1])
  })

  it('rotate without downtime', async () => {
    const old = await cli('token', 'create', 'backup')
    const next = await cli('token', 'rotate', 'backup', '--grace', '1h')
    assert.deepEqual([await accepted(daemon, old), await accepted(daemon, next)], [true, true])
    const { headers } = await call(daemon, 'Auth.WhoAmI', undefined, { token: old })
    assert.match(String(headers['postern-token-expires-in']), /^3[56]\d\d$/)
    const last = await cli('token', 'rotate', 'backup', '--grace', '0')
    assert.deepEqual(
      [await accepted(daemon, old), await accepted(daemon, next), await accepted(daemon, last)],
      [false, false, true],
    )
  })

  it('say who holds what, and what a token may', async () => {
    const rows = await json('token', 'list', '--sort', 'lastaccess')
    assert.deepEqual(rows.find(({ name }: { name: string }) => name === 'dashboard').scopes, [
      'token.get',
      'Auth.WhoAmI',
    ])
    const explained = await json('token', 'explain', 'dashboard', 'token.delete', '--from', '10.1.2.3')
    assert.deepEqual([explained.allowed, explained.rule], [false, 'scopes'])
    const elsewhere = await json('token', 'explain', 'dashboard', 'token.get', '--from', '192.0.2.1')
    assert.deepEqual([elsewhere.allowed, elsewhere.rule], [false, 'allowed_ips'])
  })

  it('end what they describe, and the connections', async (t) => {
    await cli('user', 'create', 'deploy')
    const token = await cli('token', 'create', 'one', '--user', 'deploy')
    const other = await cli('token', 'create', 'another', '--user', 'deploy')
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    assert.deepEqual(await json('token', 'revoke', '--user', 'deploy'), { tokens: 2, connections: 1 })
    assert.deepEqual(await ws.closed, { code: 4401, reason: 'token was revoked' })
    assert.equal(await accepted(daemon, other), false)
    await cli('token', 'revoke', 'dashboard')
    assert.match((await postern(['token', 'show', 'dashboard'], { env })).stderr, /there is no token/)
  })

  it('take a bound away, and refuse what is none', async () => {
    const token = await cli('token', 'create', 'bounded', '--max-uses', '1', '--not-before', '1h')
    assert.equal(await accepted(daemon, token), false)
    await cli('token', 'update', 'bounded', '--not-before', 'none', '--max-uses', 'none')
    assert.deepEqual([await accepted(daemon, token), await accepted(daemon, token)], [true, true])
    for (const wrong of [
      ['--max-uses', '0'],
      ['--burst', '5'],
      ['--not-before', 'soon'],
      ['--metadata', '{'],
    ]) {
      const { code, stderr } = await postern(['mint', '--ttl', '1h', ...wrong], { env })
      assert.deepEqual([code, stderr.startsWith('postern: ')], [2, true], wrong.join(' '))
    }
  })
})
