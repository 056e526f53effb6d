import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { logged, type Scope, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { type Made, make, ok } from '../support/lives.ts'
import { reload } from '../support/reload.ts'
import { call, http, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)
const HEADER = 'postern-token-expires-in'

describe('a reply to a token that ends soon', () => {
  const left = async (token: string, path = '/api/') =>
    (await call(daemon, 'token.get', { limit: 1 }, { token, path })).headers[HEADER]

  for (const path of ['/api/', '/api_jsonrpc.php'])
    it(`says so in seconds, on ${path}, and no other does`, async () => {
      const seconds = Number(await left(await mint(daemon, { ttl: 3600 }), path))
      assert.ok(Number.isInteger(seconds) && seconds > 3000 && seconds <= 3600, String(seconds))
      assert.equal(await left(await mint(daemon, { ttl: 30 * 86_400 }), path), undefined)
      assert.equal(await left(admin, path), undefined)
    })

  it('is also one that refuses, and one to a secret whose grace ends', async () => {
    const scoped = await mint(daemon, { ttl: 60, scopes: ['nothing'] })
    const refused = await call(daemon, 'token.get', {}, { token: scoped })
    assert.equal(refused.status, 403)
    assert.ok(Number(refused.headers[HEADER]) <= 60)
    const { token, tokenid } = await make(daemon, admin)
    const fresh = await ok<{ token: string }>(daemon, 'token.rotate', { tokenid, grace: 600 }, admin)
    assert.ok(Number(await left(token)) <= 600)
    assert.equal(await left(fresh.token), undefined)
  })

  it('to a batch of several tokens names the first end', async () => {
    const tokens = [await mint(daemon, { ttl: 3600 }), await mint(daemon, { ttl: 60 }), admin]
    const batch = tokens.map((Token, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'Auth.WhoAmI',
      params: { Token },
    }))
    const { headers } = await http(daemon, JSON.stringify(batch))
    assert.ok(Number(headers[HEADER]) <= 60)
  })

  it('follows tokens.warn_before, also when it is reloaded', async (t) => {
    const own = await startDaemon(t, { config: '[tokens]\nwarn_before = "10s"\n' })
    const token = await mint(own, { ttl: 3600 })
    const ask = async () => (await call(own, 'Auth.WhoAmI', {}, { token })).headers[HEADER]
    assert.equal(await ask(), undefined)
    await reload(own, '[tokens]\nwarn_before = "2h"\n')
    assert.ok(Number(await ask()) > 0)
  })
})

/** A program that writes down its arguments, one a line, and a folder for it. */
function recorder(t: Scope) {
  const directory = temporaryDirectory(t)
  const [program, file] = [join(directory, 'note it'), join(directory, 'told')]
  writeFileSync(
    program,
    `#!/bin/sh\nfor word in "$@"; do printf '%s\\n' "$word"; done >> '${file}'\necho end >> '${file}'\n`,
  )
  chmodSync(program, 0o755)
  const told = () => {
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .split('end\n')
      .slice(0, -1)
      .map((text) => text.trimEnd().split('\n'))
  }
  return {
    directory,
    program,
    told,
    about: ({ tokenid }: Made) => told().filter((words) => words.includes(`id=${tokenid}`)),
  }
}

describe('[[notify]]', () => {
  // Of a span below 100 s the tokens are looked at every second.
  const notify = (before: string, ...command: string[]) =>
    `[[notify]]\nbefore = "${before}"\ncommand = ${JSON.stringify(command)}\n`

  it('runs its command with what the token is, word for word and without a shell', async (t) => {
    const { program, about } = recorder(t)
    const own = await startDaemon(t, { config: notify('90s', program, 'a  b', '$(id)', '`id`', '*', '') })
    const by = await mint(own)
    const name = '$(touch x) "; \n\u001b[2J'
    const token = await mint(own, { ttl: 60, name })
    const [found] = await ok<{ tokenid: string }[]>(own, 'token.get', { filter: { name } }, by)
    const made = { token, name, tokenid: found?.tokenid ?? '' }
    await until('it was told', () => about(made).length > 0)
    const [words = []] = about(made)
    assert.deepEqual(words.slice(0, 5), ['a  b', '$(id)', '`id`', '*', ''])
    assert.deepEqual(words.slice(5, 8), [
      `id=${made.tokenid}`,
      'name=$(touch x) "; \\u{a}\\u{1b}[2J',
      'user=1',
    ])
    assert.match(words[8] ?? '', /^expires=\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.equal(words[9], 'last_use=never')
    assert.equal(words.length, 10)
    assert.ok(!words.join('\n').includes(token.slice(4, 40)))
    await logged(own, /"level":40[^\n]*token\.ending/)
  })

  it('tells of each end once, also across restarts', async (t) => {
    const { program, about } = recorder(t)
    const options = { config: notify('90s', program) }
    const first = await startDaemon(t, options)
    const by = await mint(first)
    const one = await make(first, by, { ttl: 60 })
    await until('it was told', () => about(one).length > 0)
    await first.stop('SIGTERM')
    const second = await startDaemon(t, { ...options, directory: first.directory })
    const two = await make(second, by, { ttl: 60 })
    await until('the next was told', () => about(two).length > 0)
    await second.stop('SIGKILL')
    const third = await startDaemon(t, { ...options, directory: first.directory })
    const three = await make(third, by, { ttl: 60 })
    await until('another was told', () => about(three).length > 0)
    assert.deepEqual([about(one).length, about(two).length], [1, 1])
    const lines = await ok<{ token: string }[]>(third, 'audit.get', { event: 'token.ending' }, by)
    assert.deepEqual(lines.map(({ token }) => token).reverse(), [one.tokenid, two.tokenid, three.tokenid])
    await ok(
      third,
      'token.update',
      { tokenid: one.tokenid, expires_at: Math.floor(Date.now() / 1000) + 80 },
      by,
    )
    await until('its new end was told', () => about(one).length === 2)
  })

  it('tells of no token that is revoked, disabled, over, or far from its end', async (t) => {
    const { program, told, about } = recorder(t)
    const own = await startDaemon(t, { config: notify('1s', program) })
    const by = await mint(own)
    const quiet = [
      await make(own, by, { ttl: 7200 }),
      await make(own, by, { ttl: 7200 }),
      await make(own, by, { ttl: 7200 }),
      await make(own, by, { ttl: 200 * 86_400 }),
      await make(own, by),
    ]
    await ok(own, 'Auth.RevokeApiToken', { tokenid: quiet[0]?.tokenid }, by)
    await ok(own, 'token.update', { tokenid: quiet[1]?.tokenid, status: 1 }, by)
    await ok(own, 'token.delete', [quiet[2]?.tokenid], by)
    const loud = await make(own, by, { ttl: 7200 })
    assert.equal(await reload(own, notify('3h', program)), 'taken')
    await until('the one was told', () => about(loud).length > 0)
    assert.equal(told().length, 1)
  })

  it('goes on when a command fails or is not there, and says so in the log', async (t) => {
    const { directory, program, about } = recorder(t)
    const missing = join(directory, 'missing')
    const config = notify('91s', missing) + notify('92s', 'false') + notify('93s') + notify('94s', program)
    const own = await startDaemon(t, { config })
    const one = await make(own, await mint(own), { ttl: 60 })
    await until('it was told', () => about(one).length === 1)
    await logged(own, /ENOENT/)
    await logged(own, /false ended with 1/)
    assert.equal((await call(own, 'Auth.WhoAmI', {}, { token: one.token })).status, 200)
  })
})
