import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import parsePrometheusTextFormat from 'parse-prometheus-text-format'
import { startDaemon, until } from '../support/daemon.ts'
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

const TYPES = {
  postern_calls_total: 'COUNTER',
  postern_ended_connections_total: 'COUNTER',
  postern_tokens: 'GAUGE',
  postern_users: 'GAUGE',
  postern_upstream_up: 'GAUGE',
  postern_connections: 'GAUGE',
  postern_store_writable: 'GAUGE',
  postern_store_queue: 'GAUGE',
  process_resident_memory_bytes: 'GAUGE',
  process_start_time_seconds: 'GAUGE',
  postern_call_duration_seconds: 'HISTOGRAM',
}

/** A service that is not there is told of as well. */
const config = '[[upstream]]\nname = "down"\nnamespace = "down."\nurl = "unix:/nowhere"\nmethods = []\n'
const daemon = await startDaemon({ after }, { config })
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
    // By hand: the parser puts the histograms of all labels into one.
    const { body } = await fetched(daemon, '/metrics', { door: 'unix' })
    const counts = (metric: string, method: string) =>
      [...body.matchAll(new RegExp(`^${metric}\\{method="${method}"[^}]*\\} (\\d+)$`, 'gm'))].map(([, n]) =>
        Number(n),
      )
    const methods = new Set(
      [...body.matchAll(/^postern_calls_total\{method="([^"]+)"/gm)].map(([, name]) => name ?? ''),
    )
    assert.ok(methods.size > 3, 'several were called')
    for (const method of methods) {
      const calls = counts('postern_calls_total', method).reduce((all, one) => all + one, 0)
      const buckets = counts('postern_call_duration_seconds_bucket', method)
      assert.deepEqual(
        buckets,
        buckets.toSorted((one, other) => one - other),
      )
      assert.deepEqual([buckets.length, buckets.at(-1)], [11, calls])
      assert.deepEqual(counts('postern_call_duration_seconds_count', method), [calls])
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
