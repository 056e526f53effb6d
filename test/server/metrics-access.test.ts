import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import parsePrometheusTextFormat from 'parse-prometheus-text-format'
import { startDaemon } from '../support/daemon.ts'
import { fetched, userWithToken } from '../support/datafor.ts'
import { call, http, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)
await userWithToken(daemon, admin, 'joe')

describe('who may read /metrics', () => {
  const status = async (question: Parameters<typeof fetched>[2]) =>
    (await fetched(daemon, '/metrics', question)).status

  it('on TCP a token whose scopes name system.metrics; of any user', async () => {
    const narrow = await mint(daemon, { ttl: 0, username: 'joe', scopes: ['system.metrics'] })
    assert.deepEqual([await status({ token: narrow }), await status({ token: admin })], [200, 200])
    const row = await call(daemon, 'system.metrics', {}, { token: narrow, door: 'tcp' })
    assert.ok(parsePrometheusTextFormat(String(row.json.result)).length > 5, 'the row gives the same')
  })

  it('no other token: 403; none, or a wrong one: 401, with no number in the answer', async () => {
    const other = await mint(daemon, { ttl: 0, scopes: ['system.info', 'token.*'] })
    for (const [question, expected] of [
      [{ token: other }, 403],
      [{ token: other, door: 'unix' }, 403],
      [{}, 401],
      [{ token: 'wrong' }, 401],
      [{ token: 'wrong', door: 'unix' }, 401],
    ] as const) {
      const { status, body } = await fetched(daemon, '/metrics', question)
      assert.deepEqual([status, body.includes('postern_')], [expected, false])
    }
  })

  it('an operator on the Unix socket without one; not what came through a proxy', async () => {
    assert.equal(await status({ door: 'unix' }), 200)
    for (const name of ['X-Forwarded-For', 'Via', 'Forwarded', 'X_Real_IP'])
      assert.equal(await status({ door: 'unix', headers: { [name]: '192.0.2.1' } }), 403, name)
  })

  it('nobody on the Unix socket who is no operator', async (t) => {
    const closed = await startDaemon(t, { config: '[[operators]]\nuid = 4242\n' })
    const { status, body } = await fetched(closed, '/metrics', { door: 'unix' })
    const isRoot = process.getuid?.() === 0 // root is an operator always
    assert.deepEqual([status, body.includes('postern_')], isRoot ? [200, true] : [403, false])
  })

  it('takes no token in the URL, and no other verb than GET and HEAD', async () => {
    assert.equal((await fetched(daemon, `/metrics?token=${admin}`)).status, 400)
    assert.equal(
      (await http(daemon, undefined, { path: '/metrics', method: 'DELETE', token: admin })).status,
      405,
    )
  })
})
