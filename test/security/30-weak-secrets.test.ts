import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { logged, startDaemon } from '../support/daemon.ts'
import {
  ask,
  configure,
  type Fields,
  fetched,
  hmacJwt,
  inSeconds,
  publicPem,
  userWithToken,
  whose,
} from '../support/datafor.ts'
import { call, http, mint, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)
await userWithToken(daemon, admin, 'joe')
const WARNING = /shorter than 32 bytes/

/** Every text of so many letters. */
function* texts(alphabet: string, length: number): Generator<string> {
  if (length === 0) yield ''
  else for (const start of texts(alphabet, length - 1)) for (const letter of alphabet) yield start + letter
}

/** Finds a shared secret by trying: all that is needed is one token. */
function guess(token: string, alphabet: string, length: number): string | undefined {
  const end = token.lastIndexOf('.')
  const [input, signature] = [token.slice(0, end), token.slice(end + 1)]
  for (const text of texts(alphabet, length))
    if (createHmac('sha256', text).update(input).digest('base64url') === signature) return text
  return undefined
}

describe('pitfall 30: a weak secret is accepted, and warned about', () => {
  it('abcd works; the reply and the log warn, and do not repeat it', async () => {
    const { body } = await configure(daemon, admin, { name: 'WEAK', secret: 'abcd' })
    assert.deepEqual([body.success, body.msg], [true, 'success'])
    assert.match(String(body.warning), WARNING)
    await logged(daemon, /"level":40,[^\n]*the configuration WEAK: The secret is shorter than 32 bytes/)
    assert.equal(await whose(daemon, hmacJwt('abcd', { WEAK: 'joe', exp: inSeconds(60) })), 'joe')
    assert.ok(!JSON.stringify(body).includes('abcd'), 'the reply repeats it')
    assert.ok(!daemon.log().includes('abcd'), 'the log repeats it')
  })

  it('the row warns too', async () => {
    const params = { name: 'WEAK', enable: '1', secret: 'abcd' }
    const { json } = await call(daemon, 'jwt.configure', params, { token: admin })
    assert.match(String((json.result as Fields).warning), WARNING)
  })

  it('whoever sees one token finds abcd by trying, and signs anybody; hence the warning', async () => {
    await configure(daemon, admin, { name: 'WEAK', secret: 'abcd' })
    const { body } = await ask(daemon, admin, 'generate', { form: { name: 'WEAK', username: 'joe' } })
    const found = guess(String(body.token), 'abcdefgh', 4)
    assert.equal(found, 'abcd')
    assert.equal(await whose(daemon, hmacJwt(found ?? '', { WEAK: 'Admin', exp: inSeconds(60) })), 'Admin')
  })

  it('counts bytes: 31 are warned about, 32 are not, nor are 16 letters of two bytes each', async () => {
    for (const [secret, warns] of [
      ['x'.repeat(31), true],
      ['x'.repeat(32), false],
      ['ü'.repeat(15), true],
      ['ü'.repeat(16), false],
    ] as const) {
      const { body } = await configure(daemon, admin, { name: 'BYTES', secret })
      assert.equal('warning' in body, warns, secret)
    }
  })

  it('a public key is not warned about, nor an update that keeps the secret', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const secret = publicPem(publicKey)
    const { body } = await configure(daemon, admin, { name: 'PUBLIC', algorithm: 'ES256', secret })
    assert.deepEqual(body, { success: true, msg: 'success' })
    await configure(daemon, admin, { name: 'BYTES', secret: 'x'.repeat(32) })
    const kept = await ask(daemon, admin, 'update', { json: { name: 'BYTES', enable: '1' } })
    assert.deepEqual(kept.body, { success: true, msg: 'success' })
  })

  it('a name with control characters cannot write lines of its own into the log', async () => {
    await configure(daemon, admin, { name: 'evil\n{"level":60,"msg":"forged"}', secret: 'abcd' })
    await logged(daemon, /the configuration evil/)
    for (const line of daemon.log().trimEnd().split('\n'))
      assert.notEqual((JSON.parse(line) as { msg: string }).msg, 'forged')
  })
})

/** Every byte that lies below a state directory. */
function stored(stateDir: string): string {
  return readdirSync(stateDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'pepper')
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    .join('\n')
}

it('pitfalls 10 and 29: a secret and what it signs are in no file, no log, no audit line, no answer and no title', async (t) => {
  const daemon = await startDaemon(t, { env: { LOG_LEVEL: 'trace' } })
  const admin = await mint(daemon)
  const canary = 'CanarySecretOfMoreThanThirtyTwoBytes'
  const short = 'ShortCanary'
  const answers: unknown[] = []
  const path = '/plugin/datafor-modeler/api/token/'
  const tell = async (...args: Parameters<typeof ask>) => answers.push(await ask(...args))
  for (const [name, secret] of [
    ['LONG', canary],
    ['SHORT', short],
  ] as const) {
    for (const fields of [
      { enable: '1', self_service: '1' },
      { algorithm: 'RS256' },
      { expire: 'x' },
      { name: 7 },
    ])
      await tell(daemon, admin, 'update', { json: { name, secret, ...fields } })
    await tell(daemon, admin, 'update', { form: { name, secret, enable: 'wrong' } })
    await tell(daemon, admin, 'generate', { json: { name: secret, privateKey: 'x', username: 7 } })
    await tell(daemon, undefined, 'update', { json: { name, secret } })
    for (const key of [secret, { secret }])
      for (const algorithm of ['LONG', 'NEW'])
        await tell(daemon, admin, 'generate', { json: { name: algorithm, privateKey: key } })
    answers.push((await http(daemon, `{"secret":"${secret}`, { path: `${path}update`, token: admin })).body)
    answers.push((await http(daemon, secret, { path: `${path}delete`, token: admin })).body)
    for (const call of ['list', `content?name=${name}`, 'personal/config', 'personal/list'])
      await tell(daemon, admin, call)
  }
  const signed = [
    (await ask(daemon, admin, 'generate', { form: { name: 'LONG', username: 'Admin' } })).body.token,
    (await ask(daemon, admin, 'personal', { json: { name: 'LONG' } })).body.token,
  ].map(String)
  for (const token of signed) {
    assert.equal(await whose(daemon, token), 'Admin')
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    await ws.call('Auth.WhoAmI', { nonsense: token })
    for (const method of ['token.introspect', 'Auth.RevokeApiToken'])
      answers.push((await call(daemon, method, { token }, { token: admin })).body)
    answers.push((await http(daemon, '{}', { path: `/api/?token=${token}`, token })).body)
  }
  const metrics = (await fetched(daemon, '/metrics', { token: admin })).body
  const audit = (await call(daemon, 'audit.get', { limit: 1000 }, { token: admin })).body
  const title = readFileSync(`/proc/${daemon.pid}/cmdline`, 'latin1')
  await daemon.stop()
  const places = {
    log: daemon.log(),
    files: stored(daemon.stateDir),
    audit,
    metrics,
    title,
    answers: JSON.stringify(answers),
  }
  for (const [where, text] of Object.entries(places)) {
    assert.ok(text.length > 5, `${where} was looked at`)
    for (const secret of [
      canary,
      short,
      Buffer.from(canary).toString('base64').slice(0, 40),
      ...signed.map((token) => token.slice(-43)),
    ])
      assert.ok(!text.includes(secret), `${secret} is in the ${where}`)
  }
  assert.match(audit, /jwt\.configure/)
})
