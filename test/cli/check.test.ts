import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { orderedNumber } from '../../src/store/store.ts'
import { postern, type Scope, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { about, damage, rows, tamper } from '../support/stored.ts'
import { accepted, call, mint } from '../support/talk.ts'

interface Report {
  readonly findings: string[]
  readonly count: number
  readonly looked: { readonly tokens: number; readonly users: number; readonly lines: number }
}

/** A store with users and tokens of every kind, stopped; each test has a copy of it. */
const original = await startDaemon({ after })
const tokens: string[] = []
for (let n = 0; n < 3; n++) tokens.push(await mint(original, { ttl: 3600, name: `token ${n}` }))
const [token = ''] = tokens
await call(original, 'user.create', [{ username: 'deploy' }], { token })
await call(original, 'token.create', [{ name: 'managed', userid: '2' }], { token })
const ended = await mint(original, { ttl: 3600, name: 'revoked' })
await call(original, 'Auth.RevokeApiToken', {}, { token: ended })
await original.stop()
const lying = await rows(original.stateDir)

const first = (prefix: string) => lying.find(([key]) => key.startsWith(prefix)) as [string, string]
const last = (prefix: string) => lying.findLast(([key]) => key.startsWith(prefix)) as [string, string]

function copy(t: Scope) {
  const directory = temporaryDirectory(t)
  cpSync(original.directory, directory, { recursive: true, filter: (file) => !file.endsWith('.sock') })
  return { directory, stateDir: join(directory, 'state') }
}

async function check(stateDir: string, ...more: string[]): Promise<Report & { code: number | null }> {
  const { code, stdout, stderr } = await postern(['check', '--json', '--state-dir', stateDir, ...more])
  assert.doesNotMatch(stderr, /unexpected error/)
  assert.ok(stdout.startsWith('{'), stderr)
  return { code, ...JSON.parse(stdout) }
}

async function repaired(directory: string, stateDir: string, t: Scope): Promise<void> {
  const { code, findings } = await check(stateDir, '--repair')
  assert.deepEqual([code, findings], [0, []])
  assert.deepEqual((await check(stateDir)).findings, [])
  const daemon = await startDaemon(t, { directory })
  for (const secret of tokens) assert.ok(await accepted(daemon, secret))
  assert.ok(!(await accepted(daemon, ended)))
  assert.ok(await accepted(daemon, await mint(daemon, { ttl: 60, name: 'token 0', replace: true })))
}

describe('postern check', () => {
  it('finds nothing in a healthy store, running or stopped, and says what it looked at', async (t) => {
    const { directory, stateDir } = copy(t)
    const stopped = await check(stateDir)
    assert.deepEqual([stopped.code, stopped.findings, stopped.count], [0, [], 0])
    assert.deepEqual([stopped.looked.tokens, stopped.looked.users], [5, 2])
    const daemon = await startDaemon(t, { directory })
    const running = JSON.parse((await about(daemon, 'check', '--json')).stdout) as Report
    assert.deepEqual([running.findings, running.looked.tokens], [[], 6]) // its own, too
    const refused = await about(daemon, 'check', '--repair')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /^postern: the daemon is running\nhint: stop it first/)
  })

  it('has an exit code and names what is wrong in words as well', async (t) => {
    const { stateDir } = copy(t)
    await tamper(stateDir, [{ key: first('v/')[0], write: null }])
    const { code, stdout, stderr } = await postern(['check', '--state-dir', stateDir])
    assert.equal(code, 1)
    assert.match(stdout, /v\//)
    assert.match(stderr, /^postern: 1 thing is not as they should be\nhint: postern check --repair/)
  })

  it('of a socket where nobody answers is about no other store', async (t) => {
    const { stateDir } = copy(t)
    const home = { POSTERN_STATE_DIR: '', STATE_DIRECTORY: stateDir }
    const socket = join(temporaryDirectory(t), 'elsewhere.sock')
    const elsewhere = await postern(['check', '--json', '--socket', socket], { env: home })
    assert.deepEqual([elsewhere.code, elsewhere.stdout], [1, ''])
    assert.match(elsewhere.stderr, /^postern: nobody answers on .*\nhint: .*--state-dir/)
    assert.equal((await postern(['check', '--json'], { env: { ...home, POSTERN_SOCKET: socket } })).code, 0)
    assert.equal((await check(stateDir, '--socket', socket)).code, 0)
  })

  it('makes no store by looking for one', async (t) => {
    const { code, stderr } = await postern(['check', '--state-dir', join(temporaryDirectory(t), 'none')])
    assert.equal(code, 1)
    assert.match(stderr, /^postern: there is no store in /)
  })

  for (const prefix of ['h/', 'n/', 'u/', 'v/', 'x/', 'N/']) {
    const [key, stored] = first(prefix)

    it(`finds a key of ${prefix} that is gone, and makes it anew`, async (t) => {
      const { directory, stateDir } = copy(t)
      await tamper(stateDir, [{ key, write: null }])
      assert.equal((await check(stateDir)).count, 1)
      await repaired(directory, stateDir, t)
    })

    it(`finds a key of ${prefix} that was changed, and makes it anew`, async (t) => {
      const { directory, stateDir } = copy(t)
      await tamper(stateDir, [{ key, write: 'something else' }])
      const { code, findings } = await check(stateDir)
      assert.equal(code, 1)
      assert.ok(findings.length >= 1, findings.join('\n'))
      await repaired(directory, stateDir, t)
    })

    it(`finds a key of ${prefix} whose checksum is wrong, and makes it anew`, async (t) => {
      const { directory, stateDir } = copy(t)
      await damage(stateDir, key, `${stored}x`)
      const { code, findings } = await check(stateDir)
      assert.equal(code, 1)
      assert.ok(findings.length >= 1)
      await repaired(directory, stateDir, t)
    })

    const strays = [
      [
        'that belongs to nothing',
        `${key.slice(0, -1)}${key.endsWith('7') ? 8 : 7}`,
        stored.split(' ').slice(2).join(' '),
      ],
      ['that makes no sense', `${prefix}no/sense`, 'none'],
    ] as const
    for (const [what, stray, value] of strays) {
      it(`finds a key of ${prefix} ${what}, and removes it`, async (t) => {
        const { directory, stateDir } = copy(t)
        await tamper(stateDir, [{ key: stray, write: value }])
        const { code, findings } = await check(stateDir)
        assert.deepEqual([code, findings.length], [1, 1], findings.join('\n'))
        await repaired(directory, stateDir, t)
      })

      it(`finds a key of ${prefix} ${what} and whose checksum is wrong, and removes it`, async (t) => {
        const { directory, stateDir } = copy(t)
        await damage(stateDir, stray, `1 1 ${value}`)
        const { code, findings } = await check(stateDir)
        assert.deepEqual([code, findings.length], [1, 1], findings.join('\n'))
        await repaired(directory, stateDir, t)
      })
    }
  }

  it('brings a damaged record of a token back from the copy that lies with its secret', async (t) => {
    const { directory, stateDir } = copy(t)
    const [key, stored] = first('t/')
    await damage(stateDir, key, stored.replace('token 0', 'token 9'))
    const { code, findings } = await check(stateDir)
    assert.deepEqual([code, findings], [1, ['the record of token 1 is damaged']])
    await repaired(directory, stateDir, t)
  })

  it('does not throw away the copy of a token whose record is gone', async (t) => {
    const { directory, stateDir } = copy(t)
    await tamper(stateDir, [{ key: first('t/')[0], write: null }])
    assert.equal((await check(stateDir)).code, 1)
    await repaired(directory, stateDir, t)
  })

  it('names a damaged record of which there is no copy, and the others go on', async (t) => {
    const { directory, stateDir } = copy(t)
    const [key, stored] = lying.find(
      ([name, text]) => name.startsWith('t/') && text.includes('"name":"managed"'),
    ) as [string, string]
    await damage(stateDir, key, stored.replace('managed', 'damaged'))
    const { code, findings } = await check(stateDir, '--repair')
    assert.deepEqual([code, findings], [1, [`the record of token ${Number(key.slice(2))} is damaged`]])
    const daemon = await startDaemon(t, { directory })
    for (const secret of tokens) assert.ok(await accepted(daemon, secret))
  })

  it('names a damaged user, and a daemon with one serves the others or says why it does not start', async (t) => {
    const { directory, stateDir } = copy(t)
    const [key, stored] = last('U/')
    await damage(stateDir, key, `${stored} `)
    const { code, findings } = await check(stateDir)
    assert.equal(code, 1)
    assert.ok(findings.some((text) => text.includes(key) && text.includes('damaged')))
    const daemon = await startDaemon(t, { directory }).catch((error: Error) => error)
    if (daemon instanceof Error) {
      assert.match(daemon.message, /postern: .*damaged.*\nhint: /)
      assert.doesNotMatch(daemon.message, /unexpected error/)
    } else assert.ok(await accepted(daemon, token))
  })

  for (const key of ['m/tokenids', 'm/userids', 'm/clock', 'm/config']) {
    it(`names ${key} when it is damaged`, async (t) => {
      const { stateDir } = copy(t)
      const [, stored] = first(key)
      await damage(stateDir, key, `${stored}1`)
      const { code, findings } = await check(stateDir)
      assert.equal(code, 1)
      assert.ok(findings.some((text) => text.includes(key)))
    })
  }

  it('finds the last access of a token that is not there', async (t) => {
    const { directory, stateDir } = copy(t)
    await tamper(stateDir, [{ key: `a/${orderedNumber(4711)}`, write: '1' }])
    assert.deepEqual((await check(stateDir)).findings, ['a/0000000000000004711 belongs to nothing'])
    await repaired(directory, stateDir, t)
  })

  it('names a line of the audit log that is gone, changed, or damaged, and can repair none', async (t) => {
    const line = `e/${orderedNumber(3)}`
    const [, stored] = first(line)
    const text = stored.split(' ').slice(2).join(' ')
    const tampered = [
      [{ key: line, write: null }, /line 3 is missing/],
      [{ key: line, write: text.replace('token', 'taken') }, /line 3 was changed/],
      [{ key: line, write: text.slice(0, -1) }, /line 3 was changed/],
    ] as const
    for (const [step, fault] of tampered) {
      const { stateDir } = copy(t)
      await tamper(stateDir, [step])
      for (const more of [[], ['--repair']]) {
        const { code, findings } = await check(stateDir, ...more)
        assert.equal(code, 1)
        assert.match(findings.join('\n'), fault)
      }
    }
    const { stateDir } = copy(t)
    await damage(stateDir, line, `${stored}x`)
    assert.match((await check(stateDir)).findings.join('\n'), /line 3 of the audit log is damaged/)
  })

  it('names the newest lines when they are gone', async (t) => {
    const { stateDir } = copy(t)
    const [newest] = last('e/')
    await tamper(stateDir, [{ key: newest, write: null }])
    const { code, findings } = await check(stateDir)
    const number = Number(newest.slice(2))
    assert.deepEqual(
      [code, findings],
      [1, [`audit log: it ends with line ${number - 1}, and ${number} were written`]],
    )
  })

  it('says, as the daemon does, which commits a store has lost, and what to do', async (t) => {
    const { directory, stateDir } = copy(t)
    await damage(stateDir, last('c/')[0])
    const told = /what was written after commit \d+, up to \d+, is missing\nhint: .*restore your last backup/
    await assert.rejects(startDaemon(t, { directory }), told)
    const { code, stderr } = await postern(['check', '--state-dir', stateDir])
    assert.equal(code, 1)
    assert.match(stderr, told)
  })
})
