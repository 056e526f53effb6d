import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { SEAL_PURPOSE } from '../../src/auth/jwt/seal.ts'
import { Pepper } from '../../src/auth/secret.ts'
import { METHODS } from '../../src/methods/index.ts'
import { filesBelow, pepperOf, processPlaces } from '../support/bytes-at-rest.ts'
import { canary, finds, type Place, uniqueSecret } from '../support/canaries.ts'
import { postern, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { configure } from '../support/datafor.ts'
import { endpointPaths } from '../support/endpoint-paths.ts'
import { make, ok } from '../support/lives.ts'
import { Address, makeCertificate } from '../support/remote.ts'
import { Replies } from '../support/replies.ts'
import { needsProgram } from '../support/root.ts'
import { carriers, requests, type Secrets, withMember } from '../support/secret-carriers.ts'
import { accepted, mint, raw } from '../support/talk.ts'
import { answerOf, overLines, overWebSocket, type Question, type Way, waysOf } from '../support/ways.ts'

const directory = temporaryDirectory({ after })
const certificate = await makeCertificate(directory, 'remote')
const tls = new Address(certificate.cert)
const proxied = new Address()
const daemon = await startDaemon(
  { after },
  {
    directory,
    env: { LOG_LEVEL: 'trace' },
    config: `
      [rate]
      failures_per_address = "none"
      [[route]]
      path = "/files/*"
      scope = "files.read"
      [[remote]]
      listen = "${tls}"
      cert = "${certificate.cert}"
      key = "${certificate.key}"
      [[remote]]
      listen = "${proxied}"
      trusted_proxies = ["127.0.0.0/8"]`,
  },
)
const ways = waysOf(daemon, { tls, proxied })
const openssl = needsProgram('openssl')

const replies = new Replies()
const password = uniqueSecret('password')
const signing = uniqueSecret('signing')
const admin = replies.know(await mint(daemon))
await configure(daemon, admin, { name: 'S', secret: signing, self_service: '1', expire: 600 })

/** Another set for each walk: some of what is asked ends them. */
async function secrets(): Promise<Secrets> {
  const [caller, shown] = [await mint(daemon, { ttl: 600 }), await mint(daemon, { ttl: 600 })]
  const { token: dead, tokenid } = await make(daemon, admin)
  await ok(daemon, 'Auth.RevokeApiToken', { tokenid }, admin)
  const { token: jwt } = await ok<{ token: string }>(daemon, 'jwt.personal.issue', {}, admin)
  for (const secret of [caller, shown, dead, jwt]) replies.know(secret)
  return { caller, shown, dead, jwt, password }
}

const bearing = (bearer: string | undefined) =>
  bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }

/** Methods that have been called with a credential that was enough. */
const reached = new Set<string>()

describe('pitfall 10: every method, with secrets wherever one could be', openssl, () => {
  for (const path of ['/api/', '/api_jsonrpc.php'])
    it(`over HTTP, ${path}`, async () => {
      for (const { message, bearer } of carriers(await secrets())) {
        const body = JSON.stringify(message)
        const answer = await answerOf(ways[0] as Way, { path, headers: bearing(bearer), body })
        replies.note(`${body} on ${path}`, answer)
        if (path === '/api/' && !/-3200[13]/.test(answer)) reached.add(message.method)
      }
      const local = METHODS.filter(({ access }) => access === 'local').map(({ name }) => name)
      for (const { name } of METHODS) assert.ok(reached.has(name) || local.includes(name), name)
    })

  for (const way of ways) {
    it(`in batches over HTTP, on both paths (${way.name})`, async () => {
      for (const path of ['/api/', '/api_jsonrpc.php']) {
        const all = carriers(await secrets())
        for (const bearer of new Set(all.map((one) => one.bearer))) {
          const body = JSON.stringify(
            all.filter((one) => one.bearer === bearer).map(({ message }) => message),
          )
          replies.note(`a batch on ${path}`, await answerOf(way, { path, headers: bearing(bearer), body }))
        }
      }
    })

    it(`on a WebSocket (${way.name})`, async (t) => {
      const own = await secrets()
      // With a header as well: the calls of the other connection end the token that they come with.
      const whoAmI = { jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI', params: [own.shown] }
      const texts = await overWebSocket(t, way, [whoAmI], bearing(own.caller))
      texts.push(...(await overWebSocket(t, way, carriers(own).map(withMember))))
      for (const text of texts) replies.note(`a message of a WebSocket (${way.name})`, text)
    })
  }

  it('where a line is a message', async (t) => {
    for (const text of await overLines(t, daemon, carriers(await secrets()).map(withMember)))
      replies.note('a line', text)
  })
})

describe('pitfall 10: every path, with secrets where they belong and where they do not', openssl, () => {
  for (const way of ways)
    it(way.name, async () => {
      for (const [path, verbs] of endpointPaths()) {
        const own = await secrets()
        // Before anybody knows who is asking, the ways are one, and so are the verbs.
        for (const verb of way === ways[0] ? [...verbs, 'PUT'] : verbs.slice(0, 1))
          for (const question of requests(path, own)) {
            const asked: Question = { verb, path, ...question }
            replies.note(`${JSON.stringify(asked)} (${way.name})`, await answerOf(way, asked))
          }
      }
    })
})

/** A secret that is taken for a name, a number of a call, or no HTTP at all: what is answered may repeat it. */
it('pitfall 10: secrets in place of what is no secret', async () => {
  const { caller, shown } = await secrets()
  const said = [
    { jsonrpc: '2.0', method: shown, id: shown },
    { jsonrpc: '2.0', method: 'Auth.WhoAmI', id: 1, params: { [shown]: shown } },
    { jsonrpc: shown, method: 'Auth.WhoAmI', id: shown },
    { [shown]: shown },
  ]
  const texts = [shown, password, `{"${shown}":`, `["${shown}"]`, `${shown} / HTTP/9.9\r\n${shown}\r\n\r\n`]
  for (const text of [...said.map((one) => JSON.stringify(one)), ...texts]) {
    await raw(daemon, `${text}\n`)
    await raw(daemon, text, { door: 'tcp' })
    for (const way of ways) await answerOf(way, { headers: bearing(caller), body: text })
  }
})

/** Commands that are run with a token: those that read, and some that fail. */
const COMMANDS = [
  ['status'],
  ['token', 'list'],
  ['token', 'get', '1'],
  ['token', 'list', '--json'],
  ['user', 'list'],
  ['audit'],
  ['audit', '--json', '--limit', '1000'],
  ['call', 'Auth.WhoAmI'],
  ['call', 'jwt.list'],
  ['call', 'token.delete', '["0"]'],
  ['call', 'no.method'],
  ['check'],
]

it('pitfall 10: no command prints the token that it is run with', async () => {
  const { caller, dead } = await secrets()
  const file = join(directory, 'token')
  writeFileSync(file, `${dead}\n`, { mode: 0o600 })
  for (const command of COMMANDS) {
    const args = [...command, '--socket', daemon.socket]
    const { stdout, stderr } = await postern(args, { env: { POSTERN_TOKEN: caller } })
    replies.note(`postern ${command.join(' ')}`, stdout + stderr)
  }
  const { stdout, stderr, code } = await postern(['status', '--socket', daemon.socket, '--token-file', file])
  replies.note('postern status with a token that is over', stdout + stderr)
  assert.notEqual(code, 0)
})

it('pitfall 10: none of these secrets is anywhere else', async () => {
  assert.ok(await accepted(daemon, admin), 'the walk has not ended its own means')
  const witness = canary('the witness', uniqueSecret('witness').slice(0, 40))
  await mint(daemon, { ttl: 0, name: witness.bytes.toString() })
  const page = (after: number) => ok<{ seq: number }[]>(daemon, 'audit.export', { after }, admin)
  const audit: Place[] = []
  for (let lines = await page(0); lines.length > 0; lines = await page(lines.at(-1)?.seq ?? 0))
    audit.push(['the audit log', lines.map((line) => JSON.stringify(line)).join('\n')])
  const metrics: Place = ['the metrics', await ok<string>(daemon, 'system.metrics', {}, admin)]
  const processes = processPlaces(daemon.pid)
  await daemon.stop()
  const log: Place = ['the log', daemon.log()]
  const files = filesBelow(daemon.stateDir, { but: ['pepper'] })

  const own = canary('its place', directory)
  for (const places of [audit, [log], files]) assert.notDeepEqual(finds(places, [witness]), [], 'looked at')
  assert.deepEqual(finds(processes, [own]).length, 1, 'the command line')
  assert.match(String(metrics[1]), /postern_/)
  assert.ok(replies.count > 300, String(replies.count))

  const pepper = pepperOf(daemon.stateDir)
  const keys = [canary('the pepper', pepper), canary('the sealing key', Pepper.derive(pepper, SEAL_PURPOSE))]
  const canaries = [canary('a password', password), canary('the signing secret', signing), ...keys]
  const places = [...audit, log, metrics, ...processes, ...files, ...replies.places]
  assert.deepEqual(finds(places, [...canaries, ...replies.canaries]), [])
})
