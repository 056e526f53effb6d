import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { MAIN, postern, run, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { asService, needsRoot, publicDirectory, STRANGER } from '../support/root.ts'
import { accepted, call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const env = { POSTERN_SOCKET: daemon.socket }
const cli = (...args: string[]) => postern(args, { env })

/** A refusal: nothing on stdout, the complaint on stderr. */
async function refused(args: string[], code: number, message: RegExp, more: Record<string, string> = {}) {
  const ended = await postern(args, { env: { ...env, ...more } })
  assert.deepEqual([ended.code, ended.stdout], [code, ''], ended.stderr)
  assert.match(ended.stderr, message)
  assert.match(ended.stderr, /^postern: /)
}

describe('postern mint', () => {
  it('prints the token alone', async () => {
    const { code, stdout, stderr } = await cli('mint', '--ttl', '1h')
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^pst_[0-9A-Za-z]{49}\n$/)
    assert.ok(await accepted(daemon, stdout.trim()))
  })

  it('knows lifetimes as people write them', async () => {
    for (const [ttl, seconds] of [
      ['90s', 90],
      ['2m', 120],
      ['1h', 3600],
      ['7d', 604_800],
      ['60', 60],
    ] as const) {
      const { created, expires } = JSON.parse((await cli('mint', '--ttl', ttl, '--json')).stdout)
      assert.equal(Math.round(expires - created), seconds)
    }
    for (const ttl of ['never', '0'])
      assert.equal(JSON.parse((await cli('mint', '--ttl', ttl, '--json')).stdout).expires, null)
  })

  it('refuses what is no lifetime as a usage error', async () => {
    for (const ttl of ['', '-1', '1.5h', '1w', '500ms', '1e3', '99999d'])
      await refused(['mint', '--ttl', ttl], 2, /--ttl/)
    await refused(['mint'], 2, /--ttl/)
    await refused(['mint', '--ttl', '1h', '--replace'], 2, /--replace needs[\s\S]*hint: add --name/)
  })

  it('replaces by name, again and again', async () => {
    const first = (await cli('mint', '--ttl', '1h', '--name', 'setup', '--replace')).stdout.trim()
    const second = (await cli('mint', '--ttl', '1h', '--name', 'setup', '--replace')).stdout.trim()
    assert.deepEqual([await accepted(daemon, first), await accepted(daemon, second)], [false, true])
    await refused(['mint', '--ttl', '1h', '--name', 'setup'], 1, /already exists[\s\S]*hint: .*--replace/)
  })

  it('writes a file for its owner alone, whole, over an old one', async (t) => {
    const out = join(temporaryDirectory(t), 'token')
    writeFileSync(out, 'old', { mode: 0o644 })
    const { code, stdout } = await cli('mint', '--ttl', '1h', '--out', out)
    assert.deepEqual([code, stdout, statSync(out).mode & 0o777], [0, '', 0o600])
    assert.ok(await accepted(daemon, readFileSync(out, 'utf8').trim()))
    assert.deepEqual(readdirSync(join(out, '..')), ['token'])
  })

  it('replaces nothing but a plain file: no link, no directory', async (t) => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, 'precious'), 'precious')
    symlinkSync('precious', join(directory, 'link'))
    for (const path of [join(directory, 'link'), directory, '/dev/null', '']) {
      await refused(['mint', '--ttl', '1h', '--out', path], 1, /only a plain file can be replaced/)
    }
    assert.equal(readFileSync(join(directory, 'precious'), 'utf8'), 'precious')
    assert.ok(lstatSync(join(directory, 'link')).isSymbolicLink())
  })

  it('mints and revokes nothing when the file cannot be written', async (t) => {
    const old = await mint(daemon, { ttl: 60, name: 'kept' })
    const nowhere = join(temporaryDirectory(t), 'missing', 'token')
    await refused(
      ['mint', '--ttl', '1h', '--name', 'kept', '--replace', '--out', nowhere],
      1,
      /cannot write .*\nhint: nothing was minted/,
    )
    assert.ok(await accepted(daemon, old))
  })

  it('leaves no file behind when the mint is refused', async (t) => {
    const directory = temporaryDirectory(t)
    await mint(daemon, { ttl: 60, name: 'occupied' })
    await refused(
      ['mint', '--ttl', '1h', '--name', 'occupied', '--out', join(directory, 'token')],
      1,
      /already exists/,
    )
    assert.deepEqual(readdirSync(directory), [])
  })

  it('says what to do when there is no daemon', async (t) => {
    const socket = join(temporaryDirectory(t), 's.sock')
    await refused(
      ['mint', '--ttl', '1h', '--socket', socket],
      1,
      /cannot reach the daemon on .*s\.sock[\s\S]*hint: .*postern serve/,
    )
  })
})

describe('postern call', () => {
  it('calls with the token of the environment, or of a file', async (t) => {
    const token = await mint(daemon)
    const file = join(temporaryDirectory(t), 'token')
    writeFileSync(file, `${token}\n`)
    const byEnvironment = await postern(['call', 'Auth.WhoAmI'], { env: { ...env, POSTERN_TOKEN: token } })
    const byFile = await cli('call', 'Auth.WhoAmI', '--token-file', file)
    const before = await cli('call', '--token-file', file, 'Auth.WhoAmI')
    for (const { stdout } of [byEnvironment, byFile, before])
      assert.equal(JSON.parse(stdout).type, 'superadmin')
  })

  it('takes parameters by flags, by name, in order, or as JSON', async () => {
    const forms = [
      ['--ttl', '60'],
      ['ttl=60'],
      ['60'],
      ['{"ttl":60}'],
      ['[60]'],
      ['ttl=60', 'name=by name', 'replace=true'],
      ['--ttl', '60', '--name', '7'],
    ]
    for (const params of forms) {
      const { stdout, stderr } = await cli('call', 'Auth.CreateApiToken', ...params)
      assert.match(stdout, /^"pst_/, `${params} ${stderr}`)
    }
    await refused(['call', 'Auth.CreateApiToken', 'ttl=60', '7'], 2, /by name or in order/)
    await refused(['call', 'Auth.CreateApiToken', '{"ttl":'], 2, /not valid JSON/)
  })

  it('draws help from the table', async () => {
    const { stdout } = await cli('call', 'Auth.CreateApiToken', '--help')
    assert.match(stdout, /--ttl <integer> +Lifetime in seconds/)
    assert.match((await cli('call', '--help')).stdout, /system\.info .*\n? *Version, uptime/)
  })

  it('calls methods that the table does not know by their name', async () => {
    await refused(['call', 'no.such', 'a=1'], 1, /Method not found/)
  })

  it('says what was wrong and what to do', async () => {
    await refused(['call', 'Auth.WhoAmI'], 1, /Unauthorized[\s\S]*hint: set POSTERN_TOKEN/)
    await refused(['call', 'Auth.WhoAmI'], 1, /not valid[\s\S]*hint: mint another/, { POSTERN_TOKEN: 'x' })
    await refused(['call', 'Auth.WhoAmI', '--token-file', '/nowhere'], 1, /cannot read the token file/)
    await refused(['call', 'Auth.WhoAmI', '--token', 'x'], 2, /unknown option/)
    await refused(['call'], 2, /missing required argument/)
  })
})

describe('postern status and audit', () => {
  it('mint themselves a token and revoke it at the end', async () => {
    const { tokens_complete, ...counts } = JSON.parse((await cli('status')).stdout).counts
    assert.ok(tokens_complete && counts.tokens > 0)
    const lines = (await cli('audit', '--limit', '1000')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const used = lines.filter(({ event, by }) => event === 'token.revoke' && by.kind === 'token')
    assert.ok(used.length >= 1)
    assert.deepEqual(
      lines.map(({ seq }) => seq),
      lines.map(({ seq }) => seq).toSorted((a, b) => a - b),
    )
  })

  it('use the token they are given', async () => {
    const token = await mint(daemon)
    // What the status itself tells may be a second old.
    const count = async () => (await call(daemon, 'token.get', { countOutput: true }, { token })).json.result
    const before = await count()
    assert.ok(before)
    const { code } = await postern(['status'], { env: { ...env, POSTERN_TOKEN: token } })
    assert.deepEqual([code, await count()], [0, before])
  })

  it('refuse a limit that is none', async () => {
    await refused(['audit', '--limit', '0'], 2, /--limit 0/)
  })
})

describe('postern config', () => {
  it('shows what holds and where it comes from', async (t) => {
    const file = join(temporaryDirectory(t), 'p.toml')
    writeFileSync(file, '[limits]\nbody = "2MiB"\nbatch = 7\n[listen]\nport = 1\n')
    const { stdout } = await postern(['config', '--config', file, '--port', '3'], {
      env: { POSTERN_LIMITS_BATCH: '9', POSTERN_PORT: '2' },
    })
    const { limits, listen, sources } = JSON.parse(stdout)
    assert.deepEqual([limits.body, limits.batch, limits.depth, listen.port], [2 * 1024 * 1024, 9, 64, 3])
    assert.deepEqual(
      [sources['limits.body'], sources['limits.batch'], sources['limits.depth'], sources['listen.port']],
      ['file', 'environment', 'default', 'flag'],
    )
  })

  it('takes the number of workers from above the sections as well, and from a variable of its own', async (t) => {
    const file = join(temporaryDirectory(t), 'p.toml')
    writeFileSync(file, 'workers = 3\n[listen]\nport = 1\n')
    const shown = async (env = {}) =>
      JSON.parse((await postern(['config', '--config', file], { env })).stdout)
    const { listen, sources } = await shown()
    assert.deepEqual([listen.workers, listen.port, sources['listen.workers']], [3, 1, 'file'])
    assert.equal((await shown({ POSTERN_WORKERS: '2' })).listen.workers, 2)
  })

  const bad: [toml: string, complaint: RegExp][] = [
    ['workers = 0', /listen\.workers is 0, which is not a number of threads/],
    [
      'workers = 2\n[listen]\nworkers = 2',
      /workers stands above the sections and in \[listen\]\nhint: say it once/,
    ],
    ['[limits]\nbodi = "1MiB"', /unknown key limits\.bodi\nhint: did you mean limits\.body\?/],
    ['[limit]\nbody = "1MiB"', /unknown section \[limit\]\nhint: did you mean \[limits\]\?/],
    ['limits = 1', /limits is a section/],
    ['[limits]\nbody = "1MB"', /limits\.body is "1MB", which is not a size/],
    ['[limits]\nbody = 5', /limits\.body is 5, which is not a size/],
    ['[limits]\nidle = "0s"', /limits\.idle is "0s"/],
    ['[listen]\nport = 70000', /listen\.port is 70000/],
    ['[listen]\nport = 1.5', /listen\.port is 1\.5/],
    ['[limits\n', /line 1, column \d+ is not valid TOML/],
  ]
  for (const [toml, complaint] of bad) {
    it(`refuses ${toml.replaceAll('\n', ' ')}`, async (t) => {
      const file = join(temporaryDirectory(t), 'p.toml')
      writeFileSync(file, toml)
      await refused(['config', '--config', file], 1, complaint)
    })
  }

  it('refuses a variable it does not know, and a file that is not there', async () => {
    await refused(
      ['config'],
      1,
      /unknown variable POSTERN_LIMITS_BODI\nhint: did you mean POSTERN_LIMITS_BODY\?/,
      { POSTERN_LIMITS_BODI: '1' },
    )
    await refused(['config', '--config', '/nowhere.toml'], 1, /cannot read the configuration \/nowhere\.toml/)
    await refused(['config', '--port', 'x'], 2, /--port is "x", which is not a port/)
  })

  it('finds the places of an ordinary user', async (t) => {
    const home = publicDirectory(t)
    mkdirSync(join(home, 'config/postern'), { recursive: true })
    writeFileSync(join(home, 'config/postern/postern.toml'), '[limits]\ndepth = 5\n')
    const ordinary = process.getuid?.() === 0 ? asService(STRANGER) : ['env']
    const [program = '', ...args] = [...ordinary, process.execPath, MAIN, 'config']
    const { stdout } = await run(program, args, {
      env: {
        XDG_CONFIG_HOME: join(home, 'config'),
        XDG_STATE_HOME: join(home, 'state'),
        XDG_RUNTIME_DIR: '',
      },
    })
    const { state_dir, listen, limits } = JSON.parse(stdout)
    assert.deepEqual(
      [state_dir, listen.socket, limits.depth],
      [join(home, 'state/postern'), join(home, 'state/postern/postern.sock'), 5],
    )
  })
})

describe('postern', () => {
  it('answers --help and --version on stdout', async () => {
    for (const args of [
      ['--help'],
      ['--version'],
      ['serve', '--help'],
      ['mint', '--help'],
      ['help', 'audit'],
    ]) {
      const { code, stdout, stderr } = await cli(...args)
      assert.deepEqual([code, stderr, stdout.length > 5], [0, '', true], args.join(' '))
    }
  })

  it('names the nearest when a command or a flag is misspelt', async () => {
    await refused(['mnt'], 2, /unknown command 'mnt'\nhint: Did you mean mint\?/)
    await refused(['audit', '--limt', '1'], 2, /unknown option '--limt'\nhint: Did you mean --limit\?/)
    await refused([], 2, /what shall it do/)
  })

  it('prints no control character of a token’s name on a terminal', async (t) => {
    if (!existsSync('/usr/bin/script')) return t.skip('needs script(1)')
    await mint(daemon, { ttl: 60, name: 'evil\u001b[31m\nname' })
    const { stdout } = await import('../support/daemon.ts').then(({ run, MAIN }) =>
      run('script', ['-qec', `${process.execPath} ${MAIN} audit --limit 5`, '/dev/null'], { env }),
    )
    assert.match(stdout, /evil\\u\{1b\}\[31m\\u\{a\}name/)
    assert.ok(!stdout.includes('\u001b[31m'))
  })

  it('is told apart from one who may not open the socket', needsRoot(), async () => {
    chmodSync(daemon.directory, 0o755)
    const [setpriv = '', ...flags] = asService(STRANGER) // who may read the program, and still not write to the socket
    const args = [...flags, process.execPath, MAIN, 'mint', '--ttl', '1h']
    const ended = await run(setpriv, args, { env, cwd: '/' })
    assert.match(ended.stderr, /permission denied\nhint: ask the operator/)
    assert.equal((await call(daemon, 'system.info', undefined, { token: await mint(daemon) })).status, 200)
  })
})
