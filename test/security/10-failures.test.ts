import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { FAILURES, type FailureName, HTTP_REFUSALS, type HttpRefusal } from '../../src/protocol/failures.ts'
import { filesBelow, pepperOf } from '../support/bytes-at-rest.ts'
import { canary, finds, type Place, uniqueSecret } from '../support/canaries.ts'
import { postern, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { configure } from '../support/datafor.ts'
import { ok } from '../support/lives.ts'
import { reload } from '../support/reload.ts'
import { Replies } from '../support/replies.ts'
import { damage, rows } from '../support/stored.ts'
import { mint, raw } from '../support/talk.ts'
import { table, upstream } from '../support/upstreams.ts'
import { answerOf, type Question, type Way } from '../support/ways.ts'

const directory = temporaryDirectory({ after })
const slow = await upstream({ after }, 'http')
const away = await upstream({ after }, 'unix')
const config = `
  [limits]
  header_timeout = "2s"
  depth = 1_000_000
  [rate]
  failures_per_address = "2/s"
  ${table(slow, { timeout: '100ms' })}
  ${table(away)}`

/** A personal token whose record is damaged on the disk. */
const first = await startDaemon({ after }, { directory, config })
const admin = await mint(first)
await configure(first, admin, { name: 'S', self_service: '1' })
const witness = uniqueSecret('witness').slice(0, 40)
const { jti } = await ok<{ jti: string }>(first, 'jwt.personal.issue', { label: witness }, admin)
await first.stop()
const [key = '', stored = ''] = (await rows(first.stateDir)).find(([one]) => one === `J/${jti}`) ?? []
await damage(first.stateDir, key, stored.replace('null', 'true'))

const daemon = await startDaemon({ after }, { directory, config, env: { LOG_LEVEL: 'trace' } })
const replies = new Replies()
const token = replies.know(await mint(daemon))
const limited = replies.know(await mint(daemon, { ttl: 0, scopes: ['Auth.WhoAmI'] }))
const password = uniqueSecret('password')
await away.stop()

const way: Way = {
  name: 'the Unix socket',
  isTls: false,
  options: { socketPath: daemon.socket },
  headers: {},
}
const bearer = { Authorization: `Bearer ${token}` }

const ask = (question: Question) => answerOf(way, { headers: bearer, ...question })
const call = (method: string, params: unknown, headers: Question['headers'] = bearer) =>
  ask({ headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })

/** JSON that nests so deep that nothing can write it again. */
const abyss = `${'['.repeat(200_000)}${JSON.stringify(password)}${']'.repeat(200_000)}`

/** Secrets in the configuration, where they do not belong. */
const quoted = JSON.stringify(password)
const MISCONFIGURED = [
  `[[upstream]]\nname = "x"\nurl = "http://user:${encodeURIComponent(password)}@127.0.0.1/"`,
  `[[upstream]]\nname = "x"\nurl = "http://127.0.0.1/"\ncredential = ${quoted}`,
  `[[upstream]]\nname = "x"\nurl = "http://127.0.0.1/"\ncredential = { kind = "basic", secret = ${quoted} }`,
  `[[upstream]]\nname = "x"\npassword = ${quoted}`,
  `[[upstream]]\nname = "x"\ncredential = ${quoted} more`,
]

/** Every failure there is, each with secrets in play. */
const PROVOKED: Record<FailureName, () => Promise<string>> = {
  parse_error: () => ask({ body: `{"Token":"${token}","${password}` }),
  invalid_request: () => call('Auth.WhoAmI', { Token: token }),
  method_not_found: () => call('no.method', { token, secret: password }),
  invalid_params: () => call('jwt.configure', { name: 'x', secret: token, algorithm: password }),
  internal: () =>
    ask({
      body: `{"jsonrpc":"2.0","id":1,"method":"token.create","params":{"name":"deep","metadata":{"m":${abyss}}}}`,
    }),
  refused_object: () => call('Auth.RevokeApiToken', { token: password }),
  unauthenticated: () => call('Auth.WhoAmI', {}, { Authorization: `Bearer ${password}` }),
  forbidden: () => call('audit.get', {}, { Authorization: `Bearer ${limited}` }),
  async conflict() {
    const answers: string[] = []
    for (const text of MISCONFIGURED) {
      writeFileSync(join(directory, 'postern.toml'), `${config}\n${text}`)
      assert.equal(await reload(daemon), 'refused')
      const { stdout, stderr } = await postern(['config', '--config', join(directory, 'postern.toml')])
      replies.note('postern config', stdout + stderr)
      answers.push(await call('system.reload', {}))
      assert.match(answers.at(-1) ?? '', /^409 /)
    }
    return answers.join('\n')
  },
  upstream: () => call('unix.echo', [password]),
  unavailable: () => call('jwt.personal.revoke', { jti }),
  async limited() {
    for (;;) {
      const answer = await call('Auth.WhoAmI', {}, { Authorization: `Bearer ${password}` })
      if (!answer.startsWith('401')) return answer
      replies.note('one of many wrong tokens', answer)
    }
  },
}

const head = `Host: localhost\r\nAuthorization: Bearer ${token}\r\n`

/** Likewise, what HTTP has a status of its own for. */
const REFUSED: Record<HttpRefusal, () => Promise<string>> = {
  not_found: () => ask({ path: `/${token}` }),
  wrong_verb: () => ask({ verb: 'PUT', body: password }),
  too_slow: () => raw(daemon, `POST /api/ HTTP/1.1\r\n${head}X-Password: ${password}`, { end: false }),
  too_large: () => ask({ body: password + ' '.repeat(2 * 1024 ** 2) }),
  content_type: () => ask({ headers: { ...bearer, 'Content-Type': `text/${token}` }, body: password }),
  expectation: () =>
    raw(daemon, `POST /api/ HTTP/1.1\r\n${head}Expect: ${token}\r\nContent-Length: 0\r\n\r\n`),
  upgrade_required: () =>
    raw(
      daemon,
      `GET /api/ HTTP/1.1\r\n${head}Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: ${token}\r\n\r\n`,
    ),
  headers: () => ask({ headers: { ...bearer, 'X-Many': `${password}${token.repeat(500)}` }, body: '{}' }),
  late: () => call('http.silence', [password]),
}

describe('pitfall 10: every failure, with secrets in play', () => {
  for (const [name, { code }] of Object.entries(FAILURES))
    it(name, async () => {
      const answer = await PROVOKED[name as FailureName]()
      assert.match(answer, new RegExp(`"code":${code},`))
      replies.note(name, answer)
    })

  for (const [name, status] of Object.entries(HTTP_REFUSALS))
    it(`${name}, which HTTP has a status for`, async () => {
      const answer = await REFUSED[name as HttpRefusal]()
      assert.match(answer, new RegExp(`^(HTTP/1.1 )?${status} `))
      replies.note(name, answer)
    })
})

it('pitfall 10: after all of that the secrets are nowhere else', async () => {
  const audit: Place = ['the audit log', JSON.stringify(await ok(daemon, 'audit.export', {}, token))]
  const metrics: Place = ['the metrics', await ok<string>(daemon, 'system.metrics', {}, token)]
  await daemon.stop()
  const log: Place = ['the log', daemon.log()]
  const files = filesBelow(daemon.stateDir, { but: ['pepper'] })
  for (const places of [[audit], files])
    assert.notDeepEqual(finds(places, [canary('the witness', witness)]), [], 'looked at')
  for (const said of ['a call failed', 'upstream unix failed']) assert.ok(daemon.log().includes(said), said)
  const canaries = [canary('a password', password), canary('the pepper', pepperOf(daemon.stateDir))]
  const places = [audit, metrics, log, ...files, ...replies.places]
  assert.deepEqual(finds(places, [...canaries, ...replies.canaries]), [])
})
