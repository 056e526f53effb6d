import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import parsePrometheusTextFormat from 'parse-prometheus-text-format'
import { ROOT, startDaemon, until } from '../support/daemon.ts'
import { configure, fetched, hmacJwt, inSeconds, SECRET, userWithToken } from '../support/datafor.ts'
import { accepted, call, http, mint, raw } from '../support/talk.ts'

interface Sample {
  readonly value?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly buckets?: Readonly<Record<string, string>>
  readonly count?: string
  readonly sum?: string
}

interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly metrics: readonly Sample[]
}

const DASHBOARD = join(ROOT, 'systemd/grafana-dashboard.json')
const TYPES = {
  postern_calls_total: 'COUNTER',
  postern_ended_connections_total: 'COUNTER',
  postern_tokens: 'GAUGE',
  postern_users: 'GAUGE',
  postern_connections: 'GAUGE',
  postern_store_writable: 'GAUGE',
  postern_store_queue: 'GAUGE',
  process_resident_memory_bytes: 'GAUGE',
  process_start_time_seconds: 'GAUGE',
  postern_call_duration_seconds: 'HISTOGRAM',
}

const daemon = await startDaemon({ after })
const admin = await mint(daemon)

async function scrape(on = daemon): Promise<readonly Family[]> {
  const { status, headers, body } = await fetched(on, '/metrics', { door: 'unix' })
  assert.deepEqual([status, headers['content-type']], [200, 'text/plain; version=0.0.4; charset=utf-8'])
  return parsePrometheusTextFormat(body) as Family[]
}
const family = async (name: string, on = daemon) =>
  (await scrape(on)).find((one) => one.name === name)?.metrics ?? []
const calls = async (method: string, outcome: string) =>
  Number(
    (await family('postern_calls_total')).find(
      ({ labels }) => labels?.method === method && labels.outcome === outcome,
    )?.value ?? 0,
  )
const gauge = async (name: string) => Number((await family(name))[0]?.value)

describe('what GET /metrics says', () => {
  it('a parser of Prometheus’ text format reads it; every metric has its type and a help', async () => {
    await call(daemon, 'Auth.WhoAmI', {}, { token: admin })
    const families = await scrape()
    assert.deepEqual(Object.fromEntries(families.map(({ name, type }) => [name, type])), TYPES)
    for (const { name, help, metrics } of families) {
      assert.ok(help.length > 5 && metrics.length > 0, name)
      assert.match(name, /^(postern|process)_[a-z_]+$/)
    }
  })

  it('calls are counted by method and outcome', async () => {
    const before = [await calls('Auth.WhoAmI', 'ok'), await calls('Auth.WhoAmI', 'unauthenticated')]
    for (let time = 0; time < 3; time++) await call(daemon, 'Auth.WhoAmI', {}, { token: admin })
    await call(daemon, 'Auth.WhoAmI', {}, { token: 'wrong' })
    const after = [await calls('Auth.WhoAmI', 'ok'), await calls('Auth.WhoAmI', 'unauthenticated')]
    assert.deepEqual(after, [Number(before[0]) + 3, Number(before[1]) + 1])
    await call(daemon, 'Auth.CreateApiToken', { ttl: 'x' })
    assert.equal(await calls('Auth.CreateApiToken', 'invalid_params'), 1)
  })

  it('each call of a batch, of newline JSON and of the other paths is counted', async () => {
    const before = await calls('token.get', 'ok')
    const body = { jsonrpc: '2.0', id: 1, method: 'token.get', params: {} }
    await http(daemon, JSON.stringify([body, body]), { token: admin })
    await raw(daemon, `${JSON.stringify({ ...body, params: { Token: admin } })}\n`)
    await http(daemon, JSON.stringify(body), { path: '/api_jsonrpc.php', token: admin })
    assert.equal(await calls('token.get', 'ok'), before + 4)
    await http(daemon, undefined, {
      method: 'GET',
      path: '/plugin/datafor-modeler/api/token/list',
      token: admin,
    })
    await http(daemon, '{"token":"x"}', { path: '/oauth2/introspect', token: admin })
    assert.deepEqual([await calls('jwt.list', 'ok'), await calls('token.introspect', 'ok')], [1, 1])
  })

  it('methods that do not exist are one label, however many a stranger makes up', async () => {
    for (const method of ['a', 'b', '__proto__', 'x"} 1\nevil{y="', 'constructor'])
      await call(daemon, method, {})
    assert.equal(await calls('unknown', 'method_not_found'), 5)
    const known = (await call(daemon, 'rpc.discover', {}, { token: admin })).json.result as {
      methods: { name: string }[]
    }
    const names = new Set([...known.methods.map(({ name }) => name), 'unknown'])
    for (const { labels } of await family('postern_calls_total'))
      assert.ok(names.has(labels?.method ?? ''), labels?.method)
  })

  it('the histogram has as many calls as were counted, and its buckets rise', async () => {
    const families = await scrape()
    const counted = families.find(({ name }) => name === 'postern_calls_total')?.metrics ?? []
    const timed = families.find(({ name }) => name === 'postern_call_duration_seconds')?.metrics ?? []
    const sum = (samples: readonly (string | undefined)[]) =>
      samples.reduce<number>((all, one) => all + Number(one), 0)
    assert.equal(sum(timed.map(({ count }) => count)), sum(counted.map(({ value }) => value)))
    for (const { buckets = {}, count } of timed) {
      const rising = Object.entries(buckets).sort(
        ([one], [other]) =>
          Number(one.replace('+Inf', 'Infinity')) - Number(other.replace('+Inf', 'Infinity')),
      )
      const values = rising.map(([, value]) => Number(value))
      assert.deepEqual(
        values,
        values.toSorted((one, other) => one - other),
      )
      assert.equal(values.at(-1), Number(count))
    }
  })

  it('users, and connections that were ended, are counted', async () => {
    const before = await gauge('postern_users')
    await userWithToken(daemon, admin, 'joe')
    assert.deepEqual([await gauge('postern_users'), await gauge('postern_store_writable')], [before + 1, 1])
    assert.ok((await gauge('postern_connections')) >= 1, 'the one that asks')
  })

  it('tokens are counted by state', async (t) => {
    const other = await startDaemon(t)
    const own = await mint(other)
    const ask = (method: string, params: unknown, token = own) => call(other, method, params, { token })
    await ask('Auth.RevokeApiToken', {}, await mint(other))
    const { json } = await ask('token.create', [{ name: 'off', status: 1 }, { name: 'without' }])
    const expired = await mint(other, { ttl: 1 })
    await until('an expired token', async () => !(await accepted(other, expired)))
    assert.equal(json.error, undefined)
    const states = (await family('postern_tokens', other)).map(({ labels, value }) => [
      labels?.state,
      Number(value),
    ])
    assert.deepEqual(Object.fromEntries(states), {
      active: 1,
      disabled: 1,
      expired: 1,
      revoked: 1,
      without_secret: 1,
    })
  })

  it('no secret is in it, nor a name that somebody chose', async () => {
    await configure(daemon, admin, { name: 'CANARY-NAME' })
    const jwt = hmacJwt(SECRET, { 'CANARY-NAME': 'canary-user', exp: inSeconds(60) })
    const token = await mint(daemon, { ttl: 60, name: 'canary-token' })
    for (const credential of [jwt, token])
      await call(daemon, credential, { Token: credential }, { token: credential })
    const { body } = await fetched(daemon, '/metrics', { door: 'unix' })
    for (const secret of [SECRET, jwt, token, admin, 'canary', 'CANARY'])
      assert.ok(!body.includes(secret), `${secret.slice(0, 8)}… is in it`)
  })
})

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

it('the dashboard asks for metrics that exist', {
  skip: !existsSync(DASHBOARD) && 'there is no dashboard',
}, () => {
  const asked = readFileSync(DASHBOARD, 'utf8').match(/\b(postern|process)_[a-z_]+/g) ?? []
  assert.ok(asked.length > 0, 'it asks for something')
  for (const name of asked) assert.ok(name.replace(/_(bucket|sum|count)$/, '') in TYPES, name)
})
