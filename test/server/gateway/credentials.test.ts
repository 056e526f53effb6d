import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { logged, startDaemon, temporaryDirectory, until } from '../../support/daemon.ts'
import { conversation, ok } from '../../support/lives.ts'
import { call, http, mint, webSocket } from '../../support/talk.ts'
import { type Fake, KINDS, namespaceOf, table, upstream } from '../../support/upstreams.ts'

const directory = temporaryDirectory({ after })
const fileOf = (kind: string) => join(directory, `${kind}.secret`)

/** As bitcoind does: another file in its place. */
function write(kind: string, text: string): void {
  writeFileSync(`${fileOf(kind)}.new`, text)
  renameSync(`${fileOf(kind)}.new`, fileOf(kind))
}

const CREDENTIALS = {
  header: { name: 'X-Key' },
  'header-plain': {},
  basic: {},
  'cookie-file': {},
  param: {},
  'jwt-hs256': {},
}
type Credential = keyof typeof CREDENTIALS
const kindOf = (credential: Credential) => (credential === 'header-plain' ? 'header' : credential)

const fakes = new Map<Credential, Fake>()
for (const credential of Object.keys(CREDENTIALS) as Credential[])
  fakes.set(credential, await upstream({ after }, 'http'))
const bare = await Promise.all(KINDS.map((kind) => upstream({ after }, kind)))
const socketFake = await upstream({ after }, 'ws')
const lineFake = await upstream({ after }, 'tcp')

const config = [
  ...[...fakes].map(([credential, fake]) => {
    const keys = { kind: kindOf(credential), file: fileOf(credential), ...CREDENTIALS[credential] }
    return table(fake, { name: credential, namespace: `${credential}.`, credential: keys })
  }),
  ...bare.map((fake) => table(fake)),
  table(socketFake, {
    name: 'open',
    namespace: 'open.',
    credential: { kind: 'basic', file: fileOf('open') },
  }),
  table(lineFake, { name: 'line', namespace: 'line.', credential: { kind: 'param', file: fileOf('line') } }),
].join('')
const daemon = await startDaemon({ after }, { config })
const token = await mint(daemon)

/** What the upstream saw of a call. */
async function seen(credential: Credential, params?: unknown) {
  await ok(daemon, `${credential}.echo`, params, token)
  const heard = fakes.get(credential)?.heard.at(-1)
  if (heard === undefined) throw new Error('not heard')
  return heard
}

describe("an upstream's own credential", () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  const rules: [Credential, string, (text: string) => string][] = [
    ['header', 'x-key', (text) => text],
    ['header-plain', 'authorization', (text) => text],
    ['basic', 'authorization', basic],
    ['cookie-file', 'authorization', basic],
  ]
  for (const [credential, header, value] of rules) {
    it(`(${credential}) goes into its header, and is read again when the file has changed`, async () => {
      for (const text of ['__cookie__:one', '__cookie__:two', '__cookie__:thr']) {
        write(credential, `${text}\n`)
        assert.equal((await seen(credential)).headers[header], value(text))
      }
    })
  }

  it('(header) arrives as it is in the file, to the byte', async () => {
    write('header', 'Schlüssel ключ')
    const told = (await seen('header')).headers['x-key'] as string
    assert.equal(Buffer.from(told, 'latin1').toString(), 'Schlüssel ключ')
  })

  it('(param) goes in front of the parameters by position, of none as well', async () => {
    for (const text of ['token:one', 'token:two']) {
      write('param', text)
      assert.deepEqual((await seen('param')).params, [text])
      assert.deepEqual((await seen('param', [])).params, [text])
      assert.deepEqual((await seen('param', ['token:mine', { a: 1 }])).params, [text, 'token:mine', { a: 1 }])
    }
  })

  it('(param) goes in front where a line is a message', async () => {
    write('line', 'token:line')
    await ok(daemon, 'line.echo', [1], token)
    assert.deepEqual(lineFake.heard.at(-1)?.params, ['token:line', 1])
  })

  it('(param) refuses parameters by name, which have no front', async () => {
    write('param', 'token:one')
    const before = fakes.get('param')?.heard.length
    const { json } = await call(daemon, 'param.echo', { a: 1 }, { token })
    assert.equal(json.error?.code, -32602)
    assert.equal(fakes.get('param')?.heard.length, before)
  })

  it('(param) does not stand in the way of a Token among parameters', async () => {
    write('param', 'token:one')
    const { json } = await call(daemon, 'param.echo', { Token: token })
    assert.ok(!JSON.stringify(fakes.get('param')?.heard).includes(token))
    assert.deepEqual(json.result, ['token:one'], JSON.stringify(json))
  })

  for (const prefix of ['', '0x']) {
    it(`(jwt-hs256) is a fresh JWT, signed with the secret ${prefix && 'after 0x '}of the file`, async () => {
      const key = randomBytes(32)
      write('jwt-hs256', `${prefix}${key.toString('hex')}\n`)
      const { authorization = '' } = (await seen('jwt-hs256')).headers
      const [, head = '', claims = '', signature] =
        /^Bearer ([^.]+)\.([^.]+)\.([^.]+)$/.exec(authorization) ?? []
      const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
      assert.deepEqual([read(head).alg, Object.keys(read(claims))], ['HS256', ['iat']])
      assert.ok(Math.abs(read(claims).iat - Date.now() / 1000) < 30)
      const expected = createHmac('sha256', key).update(`${head}.${claims}`).digest('base64url')
      assert.equal(signature, expected)
    })
  }

  it('is shown when a WebSocket is opened, anew each time', async () => {
    for (const text of ['a:one', 'a:two']) {
      write('open', text)
      socketFake.hangUp()
      await until('another connection', async () => {
        const { status } = await call(daemon, 'open.echo', [], { token })
        return status === 200 && socketFake.heard.at(-1)?.headers.authorization === basic(text)
      })
    }
  })

  for (const credential of Object.keys(CREDENTIALS) as Credential[]) {
    it(`(${credential}) that is missing is a failure of the upstream, with its cause in the log only`, async () => {
      rmSync(fileOf(credential), { force: true })
      const before = fakes.get(credential)?.heard.length
      const { status, body } = await call(daemon, `${credential}.echo`, [], { token })
      assert.equal(status, 502)
      assert.ok(!/ENOENT|secret/.test(body), body)
      assert.equal(fakes.get(credential)?.heard.length, before)
      await logged(daemon, new RegExp(`ENOENT.+${credential}\\.secret`))
      write(credential, 'ab'.repeat(32))
      assert.equal((await call(daemon, `${credential}.echo`, [], { token })).status, 200)
    })
  }

  it('that cannot be a header is a failure of the upstream, and is not told to the caller or the log', async () => {
    write('header', 'two\nlines-canary')
    const { status, body } = await call(daemon, 'header.echo', [], { token })
    assert.equal(status, 502)
    assert.ok(!body.includes('canary') && !daemon.log().includes('lines-canary'))
    write('header', 'good')
    assert.equal((await call(daemon, 'header.echo', [], { token })).status, 200)
  })

  it('that is empty is not shown as if it were one', async () => {
    for (const credential of ['jwt-hs256', 'basic', 'param'] as const) {
      write(credential, '')
      const { status } = await call(daemon, `${credential}.echo`, [], { token })
      assert.equal(status, 502, credential)
    }
  })
})

describe("a client's credential", () => {
  const headers = {
    Authorization: `Bearer ${token}`,
    Cookie: `a=${token}`,
    'X-Canary': 'canary-91',
    'X-Api-Key': token,
  }

  it('never reaches an upstream, whatever the door and whatever the link', async (t) => {
    const all = [...bare, ...fakes.values(), socketFake, lineFake]
    const names = [
      ...bare.map(({ kind }) => namespaceOf(kind)),
      ...[...fakes.keys()].map((name) => `${name}.`),
    ]
    const lines = conversation(t, daemon)
    const ws = await webSocket(t, daemon, { headers: { ...headers, Authorization: `Bearer ${token}` } })
    const before = all.map(({ heard }) => heard.length)
    for (const name of names) {
      const method = `${name}echo`
      for (const door of ['unix', 'tcp'] as const) await call(daemon, method, [1], { headers, door })
      await call(daemon, method, { Token: token, a: 1 })
      await http(daemon, JSON.stringify([{ jsonrpc: '2.0', id: token, method, Token: token, auth: token }]), {
        headers,
      })
      await ws.call(method, [2])
      await ws.call(method, { Token: token })
      await lines.call(method, { Token: token, b: 2 })
    }
    for (const fake of bare) assert.ok(fake.heard.length >= (before[all.indexOf(fake)] ?? 0) + 7)
    const seenByAll = JSON.stringify(all.map(({ heard }) => heard.map(({ text, headers: h }) => [text, h])))
    assert.ok(!seenByAll.includes(token), 'the token has reached an upstream')
    assert.ok(!seenByAll.includes('canary-91'), 'a header has reached an upstream')
  })
})
