import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { MAIN, postern, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { reload } from '../support/reload.ts'
import { linesOf } from '../support/stored.ts'
import { call, mint, raw } from '../support/talk.ts'

interface Line {
  readonly seq: number
  readonly at: number
  readonly event: string
  readonly by: { readonly kind: string; readonly [detail: string]: unknown }
  readonly [detail: string]: unknown
}

const daemon = await startDaemon({ after })
const folder = temporaryDirectory({ after })
const secrets: string[] = []
const token = await minted({ ttl: 3600, name: 'main' })

async function minted(params: Record<string, unknown>): Promise<string> {
  const secret = await mint(daemon, params)
  secrets.push(secret)
  return secret
}

async function done(method: string, params: unknown): Promise<Record<string, unknown>> {
  const { json } = await call(daemon, method, params, { token })
  assert.equal(json.error, undefined, JSON.stringify(json.error))
  return json.result as Record<string, unknown>
}

async function audit(...args: string[]): Promise<Line[]> {
  const { code, stdout, stderr } = await postern(
    ['audit', '--socket', daemon.socket, '--limit', '1000', ...args],
    {
      env: { POSTERN_TOKEN: token },
    },
  )
  assert.deepEqual([code, stderr], [0, ''])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const since = ['--since', new Date(Date.now() - 60_000).toISOString()]

describe('the audit log', () => {
  it('has a line of every kind of change: who, from where, what, and for a mint the rule', async () => {
    await minted({ ttl: 60, name: 'replaced' })
    await minted({ ttl: 60, name: 'replaced', replace: true })
    const { userids } = await done('user.create', [{ username: 'deploy' }])
    const userid = (userids as string[])[0] as string
    await done('user.update', [{ userid, name: 'D.' }])
    const { tokenids } = await done('token.create', [{ name: 'managed', userid }])
    const tokenid = (tokenids as string[])[0] as string
    const [{ token: secret }] = (await done('token.generate', [tokenid])) as unknown as [{ token: string }]
    secrets.push(secret)
    await done('token.update', [{ tokenid, description: 'changed' }])
    await done('token.delete', [tokenid])
    await done('user.delete', [userid])
    await call(daemon, 'Auth.RevokeApiToken', {}, { token: await minted({ ttl: 60, name: 'ended' }) })

    const lines = await audit(...since)
    const has = (event: string, details: object, kind = 'token') => {
      const line = lines.find((candidate) => {
        return (
          candidate.event === event &&
          Object.entries(details).every(([key, value]) => candidate[key] === value)
        )
      })
      assert.equal(line?.by.kind, kind, `${event} ${JSON.stringify(details)}`)
      if (kind === 'token') assert.deepEqual([line?.by.user, line?.by.address], ['1', 'unix'])
      return line as Line
    }
    const mints = has('token.mint', { name: 'main', rule: 'root' }, 'local')
    assert.deepEqual([mints.by.door, mints.by.uid, mints.by.pid], ['unix', process.getuid?.(), process.pid])
    has('token.revoke', { name: 'replaced' }, 'local')
    has('user.create', { user: userid, username: 'deploy' })
    has('user.update', { user: userid })
    for (const event of ['create', 'generate', 'update', 'delete']) has(`token.${event}`, { token: tokenid })
    has('user.delete', { user: userid })
    has('token.revoke', { name: 'ended', why: 'by itself' })
  })

  it('names the operator rule that a mint exceeded, and who asked for what', async (t) => {
    const uid = process.getuid?.() ?? 0
    const config = `[[operators]]\nuid = ${uid}\nmax_ttl = "1h"\n`
    const narrow = await startDaemon(t, { config })
    const { json } = await call(narrow, 'Auth.CreateApiToken', { ttl: 7200 })
    assert.equal(json.error?.code, -32003)
    const { stdout } = await postern(['audit', '--socket', narrow.socket, '--method', 'token.refuse'])
    const line = JSON.parse(stdout) as Line
    assert.deepEqual([line.rule, line.by.uid, line.by.door], ['operators[0]', uid, 'unix'])
    assert.equal((line.asked as { ttl: number }).ttl, 7200)
  })

  it('has a line of every change of the configuration: by signal, by command, and across a restart', async (t) => {
    const first = await startDaemon(t, { config: '[limits]\nbatch = 10\n' })
    const changes = async ({ socket }: { socket: string }) => {
      const { stdout } = await postern(['audit', '--socket', socket, '--method', 'config.change'])
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Line)
    }
    assert.deepEqual(await changes(first), [])
    assert.equal(await reload(first, '[limits]\nbatch = 11\n'), 'taken')
    assert.equal(await reload(first), 'taken')
    assert.equal(await reload(first, '[limits]\nbatch = "x"\n'), 'refused')
    writeFileSync(join(first.directory, 'postern.toml'), '[limits]\nbatch = 12\n')
    assert.equal((await postern(['reload', '--socket', first.socket])).code, 0)
    const seen = await changes(first)
    assert.deepEqual(
      seen.map(({ by, changed }) => [by.kind, changed]),
      [
        ['daemon', ['limits.batch']],
        ['token', ['limits.batch']],
      ],
    )
    await first.stop()
    const second = await startDaemon(t, { directory: first.directory, config: '[limits]\nbatch = 13\n' })
    assert.equal((await changes(second)).length, 3)
    await second.stop()
    const third = await startDaemon(t, { directory: first.directory, config: '[limits]\nbatch = 13\n' })
    assert.equal((await changes(third)).length, 3)
  })

  it('sums up what strangers were refused, in one line', async (t) => {
    const other = await startDaemon(t)
    for (let n = 0; n < 50; n++) await call(other, 'Auth.WhoAmI', {}, { token: `wrong${n}` })
    for (let n = 0; n < 30; n++) {
      await call(other, 'Auth.CreateApiToken', { ttl: 60 }, { headers: { Via: '1.1 somewhere' } })
    }
    await raw(other, '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}\n'.repeat(20))
    await other.stop()
    const again = await startDaemon(t, { directory: other.directory })
    const { stdout } = await postern(['audit', '--socket', again.socket, '--method', 'refusals'])
    const { event, by, token: tokens, mint: mints } = JSON.parse(stdout) as Line
    assert.deepEqual([event, by.kind, tokens, mints], ['refusals', 'daemon', 70, 30])
  })

  it('holds no secret', async () => {
    const { json } = await call(daemon, 'audit.export', {}, { token })
    const text = JSON.stringify(json)
    assert.ok(secrets.length > 3)
    for (const secret of secrets) assert.ok(!text.includes(secret))
    assert.doesNotMatch(text, /pst_[0-9A-Za-z]{20}/)
  })
})

describe('postern audit', () => {
  it('shows only what was asked for', async () => {
    assert.ok((await audit('--method', 'Auth.CreateApiToken')).every(({ event }) => event === 'token.mint'))
    const { tokenid } = await done('Auth.WhoAmI', {})
    const about = await audit('--token', tokenid as string)
    assert.ok(about.length > 3)
    assert.ok(about.every((line) => line.token === tokenid || line.by.token === tokenid))
    const byAdmin = await audit('--user', 'Admin')
    assert.ok(byAdmin.length > 3 && byAdmin.every((line) => line.user === '1' || line.by.user === '1'))
    assert.deepEqual(await audit('--since', new Date(Date.now() + 3_600_000).toISOString()), [])
    assert.deepEqual(await audit('--until', '2001-01-01'), [])
    const all = await audit()
    assert.deepEqual(await audit('--since', '1h'), all)
    assert.deepEqual(await audit('--until', new Date(Date.now() + 2000).toISOString()), all)
    assert.deepEqual(await audit('--since', '1h', '--user', 'Admin', '--method', 'user.delete'), [
      all.find(({ event }) => event === 'user.delete'),
    ])
  })

  it('refuses what is no time, no user, and no number', async () => {
    for (const [args, message] of [
      [['--since', 'yesterday'], /--since yesterday: not a time\nhint: /],
      [['--user', 'nobody'], /there is no user nobody\nhint: /],
      [['--limit', '1001'], /--limit 1001/],
    ] as const) {
      const { code, stdout, stderr } = await postern(['audit', '--socket', daemon.socket, ...args])
      assert.ok(code === 1 || code === 2)
      assert.equal(stdout, '')
      assert.match(stderr, message)
    }
  })

  it('follows: prints what is added, once, and ends with Ctrl-C without a complaint', async (t) => {
    const args = [
      MAIN,
      'audit',
      '--follow',
      '--limit',
      '1',
      '--socket',
      daemon.socket,
      '--method',
      'token.mint',
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    t.after(() => child.kill('SIGKILL'))
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', (more: string) => {
      complaint += more
    })
    await until('the first line is shown', () => text.includes('\n'))
    await minted({ ttl: 60, name: 'followed 1' })
    await until('the next is shown', () => text.includes('followed 1'))
    await minted({ ttl: 60, name: 'followed 2' })
    await until('and the next', () => text.includes('followed 2'))
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    assert.deepEqual([code, complaint], [0, ''])
    const shown = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
    assert.deepEqual(
      shown.slice(1).map(({ name }) => name),
      ['followed 1', 'followed 2'],
    )
  })
})

describe('postern audit verify', () => {
  const checkpoint = join(folder, 'checkpoint.json')
  const log = join(folder, 'log.jsonl')
  const command = (...args: string[]) => postern(['audit', ...args, '--socket', daemon.socket])
  const offline = (...args: string[]) =>
    postern(['audit', 'verify', '--file', log, ...args, '--socket', '/nowhere'])

  it('finds nothing in the log of a running daemon, now and against a checkpoint that was kept', async () => {
    const kept = await command('checkpoint')
    assert.equal(kept.code, 0)
    writeFileSync(checkpoint, kept.stdout)
    await minted({ ttl: 60 })
    for (const args of [[], ['--checkpoint', checkpoint]]) {
      const { code, stdout } = await command('verify', ...args)
      const { lines, checkpoints, signatures_checked, faults } = JSON.parse(stdout)
      assert.deepEqual([code, faults, signatures_checked], [0, [], true])
      assert.ok(lines > 10 && checkpoints >= 2)
    }
  })

  it('verifies an exported file without any daemon, and names what was done to it', async () => {
    assert.equal((await command('export', log)).code, 0)
    const keys = ['--key', checkpoint, '--checkpoint', checkpoint]
    const clean = await offline(...keys)
    assert.deepEqual([clean.code, JSON.parse(clean.stdout).faults], [0, []])
    const unsigned = JSON.parse((await offline()).stdout)
    assert.deepEqual([unsigned.faults, unsigned.signatures_checked], [[], false])
    const pem = join(folder, 'key.pem')
    writeFileSync(pem, JSON.parse(readFileSync(checkpoint, 'utf8')).public_key)
    assert.equal((await offline('--key', pem)).code, 0)

    const lines = linesOf(log) as { seq: number; hash: string; line: string }[]
    const write = (changed: readonly unknown[]) =>
      writeFileSync(log, changed.map((line) => `${JSON.stringify(line)}\n`).join(''))
    const fifth = lines[4] as (typeof lines)[0]
    for (const [changed, fault] of [
      [lines.toSpliced(4, 1), /line 5 is missing/],
      [
        lines.with(4, { ...fifth, line: fifth.line.replace('"user":"1"', '"user":"2"') }),
        /line 5 was changed/,
      ],
      [lines.slice(0, 5), /lines 6 to \d+ are missing, as the checkpoint that was kept shows/],
      [lines.slice(1), /line 1 is missing/],
      [[], /lines 1 to \d+ are missing/],
    ] as const) {
      write(changed)
      const { code, stdout, stderr } = await offline(...keys)
      assert.equal(code, 1)
      assert.match(JSON.parse(stdout).faults.join('\n'), fault)
      assert.match(stderr, /^postern: the audit log is not as it was written\n/)
    }
    const other = await startDaemon({ after })
    const foreign = await postern(['audit', 'checkpoint', '--socket', other.socket])
    writeFileSync(pem, JSON.parse(foreign.stdout).public_key)
    write(lines)
    assert.match((await offline('--key', pem)).stdout, /not signed with the right key/)
  })

  it('refuses files that are something else', async () => {
    for (const text of ['hello\n', '7\n', 'null\n', '{}\n', '{"seq":"1","hash":1,"line":{}}\n', '[]\n']) {
      writeFileSync(log, text)
      const { code, stderr } = await offline('--key', checkpoint)
      assert.equal(code, 1, text)
      assert.doesNotMatch(stderr, /unexpected error/, text)
    }
    for (const text of [
      'hello',
      '7',
      'null',
      '{}',
      '{"checkpoint":{}}',
      '{"checkpoint":null,"public_key":"x"}',
    ]) {
      const file = join(folder, 'other')
      writeFileSync(file, text)
      for (const flag of ['--checkpoint', '--key']) {
        const { code, stderr } = await offline(flag, file)
        assert.equal(code, 1, `${flag} ${text}`)
        assert.doesNotMatch(stderr, /unexpected error/, `${flag} ${text}`)
      }
    }
  })
})
