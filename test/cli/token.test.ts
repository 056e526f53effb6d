import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { relative } from '../../src/cli/times.ts'
import { MAIN, postern, run, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { accepted } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const env = { POSTERN_SOCKET: daemon.socket }

async function cli(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await postern(args, { env })
  assert.equal(code, 0, stderr)
  return stdout.trim()
}
const json = async (...args: string[]) => JSON.parse(await cli(...args))
const fails = async (message: RegExp, ...args: string[]) => {
  const { code, stdout, stderr } = await postern(args, { env })
  assert.deepEqual([code === 0, stdout], [false, ''])
  assert.match(stderr, message)
}

describe('postern token', () => {
  it('shows the life of a token from create to delete', async () => {
    const secret = await cli('token', 'create', 'backup', '--ttl', '7d', '--description', 'nightly')
    assert.match(secret, /^[0-9a-f]{64}$/)
    assert.ok(await accepted(daemon, secret))
    const [row] = await json('token', 'list', '--search', 'back')
    assert.deepEqual([row.name, row.description, row.userid], ['backup', 'nightly', '1'])
    const next = await cli('token', 'generate', 'backup')
    assert.deepEqual([await accepted(daemon, secret), await accepted(daemon, next)], [false, true])
    await cli('token', 'update', row.tokenid, '--disable', '--name', 'resting', '--ttl', 'never')
    assert.equal(await accepted(daemon, next), false)
    const shown = await json('token', 'show', 'resting')
    assert.deepEqual([shown.status, shown.expires_at, shown.scopes, shown.minted_by], ['1', '0', ['*'], null])
    await cli('token', 'update', 'resting', '--enable')
    assert.ok(await accepted(daemon, next))
    await cli('token', 'delete', 'resting')
    assert.equal(await accepted(daemon, next), false)
    await fails(/there is no token resting/, 'token', 'show', 'resting')
  })

  it('tells who minted a token', async () => {
    await cli('mint', '--ttl', '1h', '--name', 'minted')
    const { minted_by } = await json('token', 'show', 'minted')
    assert.deepEqual([minted_by.kind, minted_by.door, minted_by.uid], ['local', 'unix', process.getuid?.()])
  })

  it('mints itself a token, does not list it, and revokes it at the end', async () => {
    const names = (await json('token', 'list')).map(({ name }: { name: string }) => name)
    assert.deepEqual(
      names.filter((name: string) => name.startsWith('minted-')),
      [],
    )
    const { counts } = await json('status')
    assert.ok(counts.tokens >= 1)
  })

  it('creates without a secret where that is wanted, and gives several by JSON', async () => {
    assert.match(await cli('token', 'create', 'later', '--no-secret'), /^\d+$/)
    const { tokenid, token } = await json('token', 'generate', 'later', '--json')
    assert.match(`${tokenid} ${token}`, /^\d+ [0-9a-f]{64}$/)
  })

  it('says what is wrong', async () => {
    await fails(
      /there is no user nobody\nhint: postern user list/,
      'token',
      'create',
      'x',
      '--user',
      'nobody',
    )
    await fails(/already exists/, 'token', 'create', 'later')
    await fails(/either enabled or disabled/, 'token', 'update', 'later', '--enable', '--disable')
    await cli('user', 'create', 'twin')
    await cli('token', 'create', 'later', '--user', 'twin')
    await fails(
      /several tokens are called later\nhint: name it by its id: \d+, \d+/,
      'token',
      'delete',
      'later',
    )
  })

  it('prints tables on a terminal', {
    skip: spawnSync('sh', ['-c', 'command -v script']).status !== 0 && 'needs script(1)',
  }, async () => {
    const { stdout } = await run('script', ['-qec', `${process.execPath} ${MAIN} token list`, '/dev/null'], {
      env,
    })
    assert.match(stdout, /^id +name +owner +state +expires +last used +scopes\r?\n/)
    assert.match(stdout, /minted +Admin +enabled +in \d+ min +never/)
  })
})

describe('postern user', () => {
  it('creates, lists, updates and deletes', async () => {
    await cli('user', 'create', 'joe', '--type', 'admin', '--name', 'Joe')
    const joe = async () =>
      (await json('user', 'list')).find(({ username }: { username: string }) => username === 'joe')
    const { type, name, status } = await joe()
    assert.deepEqual([type, name, status], ['admin', 'Joe', '0'])
    const secret = await cli('token', 'create', 'joes', '--user', 'joe')
    await cli('user', 'update', 'joe', '--disable')
    assert.equal(await accepted(daemon, secret), false)
    await cli('user', 'update', 'joe', '--enable', '--type', 'user')
    assert.equal(await accepted(daemon, secret), true)
    await cli('user', 'delete', 'joe')
    assert.deepEqual([await joe(), await accepted(daemon, secret)], [undefined, false])
    await fails(/cannot be deleted/, 'user', 'delete', 'Admin')
  })
})

describe('postern completion', () => {
  const missing = (shell: string) =>
    spawnSync('sh', ['-c', `command -v ${shell}`]).status !== 0 && `${shell} is not installed`

  for (const shell of ['bash', 'zsh', 'fish']) {
    it(`prints a script that ${shell} reads`, {
      skip: process.env.CI !== 'true' && missing(shell),
    }, async (t) => {
      const file = join(temporaryDirectory(t), 'completion')
      writeFileSync(file, await cli('completion', shell))
      const { code, stderr } = await run(shell, ['-n', file])
      assert.deepEqual([code, stderr], [0, ''])
    })
  }

  it('offers commands, methods and their flags in bash', { skip: missing('bash') }, async (t) => {
    const file = join(temporaryDirectory(t), 'completion')
    writeFileSync(file, await cli('completion', 'bash'))
    const offered = async (...words: string[]) => {
      const script = `source ${file}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _postern; echo "\${COMPREPLY[@]}"`
      return (await run('bash', ['-c', script])).stdout.trim().split(' ')
    }
    assert.deepEqual(await offered('postern', 'token', 'cr'), ['create'])
    assert.ok((await offered('postern', 'call', 'token.')).includes('token.generate'))
    assert.deepEqual(await offered('postern', 'call', 'Auth.CreateApiToken', '--tt'), ['--ttl'])
    assert.deepEqual(await offered('postern', 'mint', '--name', 'x', '--rep'), ['--replace'])
  })

  it('knows no other shell', async () => {
    await fails(/unknown shell tcsh/, 'completion', 'tcsh')
  })
})

it('times are told as people say them', () => {
  const now = 1_000_000
  for (const [time, words] of [
    [0, 'never'],
    [now + 3 * 86_400, 'in 3 days'],
    [now - 120, '2 min ago'],
    [now + 119, 'in 119 s'],
    [now + 7_300, 'in 2 hours'],
  ] as const) {
    assert.equal(relative(time, 'never', now), words)
  }
})
