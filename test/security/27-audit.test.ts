import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { MAIN, postern, run, startDaemon } from '../support/daemon.ts'
import { accepted, call, mint, raw } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const token = await mint(daemon)

interface Line {
  readonly seq: number
  readonly event: string
  readonly name?: string
}

async function audit(params: object = {}): Promise<Line[]> {
  return (await call(daemon, 'audit.get', { limit: 1000, ...params }, { token })).json.result as Line[]
}

const logLines = (text: string) => text.split('\n').filter((line) => line !== '')

describe('pitfall 27: nobody can fill the disk with what they are refused', () => {
  it('thousands of refusals are a few lines of the log and none of the audit log, until they are summed up', async (t) => {
    const other = await startDaemon(t)
    const calls =
      '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}\n{"jsonrpc":"2.0","method":"no.such","id":1}\n'
    await Promise.all(Array.from({ length: 10 }, () => raw(other, calls.repeat(200))))
    const mints = (n: number) =>
      call(
        other,
        'Auth.CreateApiToken',
        { ttl: 1 },
        { door: 'tcp', headers: { 'X-Forwarded-For': `10.0.0.${n}` } },
      )
    for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 25 }, (_, at) => mints(at)))
    assert.ok(logLines(other.log()).length < 100, `${logLines(other.log()).length} lines`)
    await other.stop()
    const again = await startDaemon(t, { directory: other.directory })
    const secret = await mint(again)
    const { json } = await call(again, 'audit.get', { limit: 1000 }, { token: secret })
    const lines = json.result as (Line & { mint?: number })[]
    assert.ok(lines.length < 10, `${lines.length} lines`)
    // One line a minute: the test may have been in two.
    assert.equal(
      lines.reduce((sum, { event, mint = 0 }) => sum + (event === 'refusals' ? mint : 0), 0),
      500,
    )
  })

  it('an operator who asks for too much again and again does not fill it either', async (t) => {
    const uid = process.getuid?.() ?? 0
    const narrow = await startDaemon(t, { config: `[[operators]]\nuid = ${uid}\nmax_ttl = "1h"\n` })
    const line = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":{"ttl":7200},"id":1}\n'
    await Promise.all(Array.from({ length: 10 }, () => raw(narrow, line.repeat(200))))
    const secret = await mint(narrow, { ttl: 60 })
    const { json } = await call(
      narrow,
      'audit.get',
      { limit: 1000, event: 'token.refuse' },
      { token: secret },
    )
    const count = (json.result as Line[]).length
    assert.ok(count >= 1 && count < 200, `${count} lines`)
  })

  it('what is refused to somebody with a token is not in the audit log line by line', async () => {
    const scoped = await mint(daemon, { ttl: 60, scopes: ['Auth.WhoAmI'] })
    const lineByLine = async () => (await audit()).filter(({ event }) => event !== 'refusals').length
    const before = await lineByLine()
    for (let n = 0; n < 200; n++)
      assert.equal((await call(daemon, 'user.create', [{ username: 'x' }], { token: scoped })).status, 403)
    assert.equal(await lineByLine(), before)
  })
})

/** Names that try to be more than a name. */
const NAMES = [
  'a\n{"level":30,"event":"token.mint","msg":"forged"}',
  'b\r\n99  2026-01-01T00:00:00.000Z  token.mint  forged',
  'c\u001b[2J\u001b[31mforged',
  'd\u202egnitirw',
  'e\u2028\u2029forged',
  'f\u009b31mforged',
  'g\u0000forged',
  'h","event":"forged","x":"',
]

describe('pitfall 27: a name is nothing but a name', () => {
  it('in the audit log, in the log, in the table and in the JSON of postern audit', async (t) => {
    const other = await startDaemon(t)
    const secret = await mint(other)
    for (const name of NAMES) await mint(other, { ttl: 60, name, description: name })
    for (const [at, username] of NAMES.entries())
      await call(other, 'user.create', [{ username: `${at}${username}`, name: username }], { token: secret })

    for (const line of logLines(other.log())) {
      const { event, msg } = JSON.parse(line) as { event?: string; msg: string }
      assert.notEqual(event, 'forged')
      assert.notEqual(msg, 'forged')
    }
    const { json } = await call(other, 'audit.get', { limit: 1000, event: 'token.mint' }, { token: secret })
    const names = (json.result as Line[]).map(({ name }) => name)
    assert.deepEqual(names.slice(0, NAMES.length).reverse(), NAMES)

    const { stdout } = await postern(['audit', '--json', '--method', 'token.mint', '--socket', other.socket])
    assert.deepEqual(
      logLines(stdout)
        .map((line) => (JSON.parse(line) as Line).name)
        .slice(1, -1),
      NAMES,
    )
    const verified = await postern(['audit', 'verify', '--socket', other.socket])
    assert.deepEqual(JSON.parse(verified.stdout).faults, [])
    const checked = await postern(['check', '--socket', other.socket, '--state-dir', other.stateDir])
    assert.deepEqual(JSON.parse(checked.stdout).findings, [])
  })

  for (const json of [false, true]) {
    it(`nothing of it writes to a terminal (${json ? 'JSON' : 'table'})`, {
      skip: !existsSync('/usr/bin/script') && 'needs script(1)',
    }, async (t) => {
      const other = await startDaemon(t)
      for (const name of NAMES) await mint(other, { ttl: 60, name })
      const command = `${process.execPath} ${MAIN} audit ${json ? '--json' : ''} --socket ${other.socket}`
      const { stdout } = await run('script', ['-qec', command, '/dev/null'])
      assert.match(stdout, /forged/)
      assert.ok(!/[^\P{C}\r\n]|[\u2028\u2029]/u.test(stdout), JSON.stringify(stdout.slice(0, 2000)))
      if (json) return
      const rows = stdout.split('\r\n').filter((line) => line !== '')
      assert.ok(
        rows.slice(1).every((row, at) => row.startsWith(String(at + 1))),
        rows.join('\n'),
      )
    })
  }
})

describe('pitfall 27: what cannot be recorded does not happen', () => {
  it('on a full disk nothing is minted or revoked, and what is there goes on being verified', {
    skip: !existsSync('/usr/bin/prlimit') && 'needs prlimit(1)',
  }, async (t) => {
    const other = await startDaemon(t)
    const alive = await mint(other, { ttl: 3600, name: 'alive' })
    // No file may grow any more: LevelDB's log least of all.
    assert.equal((await run('prlimit', ['--pid', String(other.pid), '--fsize=1'])).code, 0)
    const minted = await call(other, 'Auth.CreateApiToken', { ttl: 60, name: 'unrecorded' })
    assert.deepEqual([minted.status, minted.json.result], [503, undefined])
    const revoked = await call(other, 'Auth.RevokeApiToken', {}, { token: alive })
    assert.equal(revoked.status, 503)
    assert.ok(await accepted(other, alive))
    await other.stop('SIGKILL')
    const again = await startDaemon(t, { directory: other.directory })
    assert.ok(await accepted(again, alive))
    const { json } = await call(again, 'audit.get', {}, { token: alive })
    const lines = json.result as Line[]
    assert.ok(!lines.some(({ event, name }) => event === 'token.revoke' || name === 'unrecorded'))
    const { json: found } = await call(again, 'token.get', {}, { token: alive })
    assert.deepEqual(
      (found.result as { name: string }[]).map(({ name }) => name),
      ['alive'],
    )
  })
})
