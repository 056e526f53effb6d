import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { postern, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { about, craft, linesOf, withPepperOf } from '../support/stored.ts'
import { accepted, mint } from '../support/talk.ts'

const source = await startDaemon({ after })
const token = await mint(source, { ttl: 3600, name: 'original' })
const folder = temporaryDirectory({ after })
const backup = join(folder, 'backup')
const moved = join(folder, 'moved')
await about(source, 'backup', backup, '--without-pepper')
await about(source, 'export', moved)
const [header, ...entries] = linesOf(backup).slice(0, -1) as [object, ...[string, string][]]
const [exportHeader, ...items] = linesOf(moved).slice(0, -1) as [object, ...[string, object][]]

const NUMBER = '0000000000000000001'
const record = (key: string) => entries.find(([name]) => name.startsWith(key))?.[1] as string
const without = (key: string) => entries.filter(([name]) => !name.startsWith(key))
const tokenWith = (change: object) => [
  ...without('t/'),
  [`t/${NUMBER}`, JSON.stringify({ ...JSON.parse(record('t/')), ...change })],
]

/** Entries that no daemon has written, under a digest that is right. */
const HOSTILE: [what: string, header: unknown, entries: readonly unknown[]][] = [
  ['a key that is a number', header, [...entries, [7, 'x']]],
  ['a value that is an object', header, [...entries, ['a/1', {}]]],
  ['an entry that is empty', header, [...entries, []]],
  ['a key twice', header, [...entries, ...entries]],
  ['a key out of a path', header, [...entries, ['../../pepper', 'x']]],
  ['the key __proto__', header, [...entries, ['__proto__', '{"status":"enabled"}']]],
  ['an index of its own', header, [...entries, [`h/${'A'.repeat(43)}`, record('t/')]]],
  ['a marker of a write', header, [...entries, ['c/0000000000000009999', '1']]],
  ['a number of the writer', header, [...entries, ['m/head', '{"commit":9,"appended":9,"hash":""}']]],
  ['a counter that is no number', header, [...entries, ['m/tokenids', 'x']]],
  ['a clock that is no number', header, [...without('m/clock'), ['m/clock', 'x']]],
  ['a token that is no JSON', header, [...entries, ['t/x', '{']]],
  ['a token that is null', header, [...entries, [`t/${NUMBER}`, 'null']]],
  ['a token under a key that is not its', header, [...entries, ['t/0000000000000000777', record('t/')]]],
  ['a token without hashes', header, tokenWith({ hashes: undefined })],
  ['a token whose hashes are text', header, tokenWith({ hashes: 'abc' })],
  ['a token whose scopes are an object', header, tokenWith({ scopes: {} })],
  ['a token whose user is a path', header, tokenWith({ user: '../1' })],
  ['a token whose name holds a slash and a newline', header, tokenWith({ name: 'a/b\nc' })],
  ['a token with __proto__', header, [...without('t/'), [`t/${NUMBER}`, '{"__proto__":{"hashes":[]}}']]],
  ['a user that is no JSON', header, [...entries, ['U/0000000000000000002', 'x']]],
  ['a user without a name', header, [...entries, ['U/0000000000000000002', '{"id":"2"}']]],
  ['a line of the audit log that is none', header, [...entries, ['e/0000000000000009999', 'x']]],
  ['a line of the audit log without a number', header, [...entries, ['e/x', 'hash {}']]],
  ['a commit that is text', { ...header, commit: '1' }, entries],
  ['a commit below zero', { ...header, commit: -2_000_000 }, entries],
  ['a commit beyond all numbers', { ...header, commit: 1e300 }, entries],
  ['no commit', { ...header, commit: undefined }, entries],
  ['a pepper that is none', { ...header, pepper: '../../etc/passwd' }, entries],
  ['another pepper than that of its fingerprint', { ...header, pepper: 'ab'.repeat(32) }, entries],
  ['a format of the future', { ...header, format: 99 }, entries],
  ['a format that is text', { ...header, format: '2' }, entries],
]

describe('postern restore of a file that no postern backup has written', () => {
  const pepper = readFileSync(join(source.stateDir, 'pepper'), 'utf8')

  for (const [what, head, lines] of HOSTILE) {
    it(`with ${what}: refuses it in words and leaves everything alone, or ends up with a store that can be looked at`, async (t) => {
      const file = craft(join(folder, 'hostile'), head, lines)
      const directory = temporaryDirectory(t)
      const stateDir = withPepperOf(source.stateDir, directory)
      const { code, stderr } = await postern(['restore', file, '--state-dir', stateDir, '--accept-revived'])
      assert.equal(
        readFileSync(join(stateDir, 'pepper'), 'utf8'),
        pepper,
        'the pepper that lay there is gone',
      )
      assert.doesNotMatch(stderr, /unexpected error/)
      if (code !== 0) {
        assert.deepEqual(
          readdirSync(stateDir).filter((name) => /^(db|format)/.test(name)),
          [],
          stderr,
        )
        return
      }
      // What of it makes no sense is for check to name.
      const checked = await postern(['check', '--state-dir', stateDir])
      assert.doesNotMatch(checked.stderr, /unexpected error/)
      await (await startDaemon(t, { directory })).stop()
    })
  }

  it('ends with a line that has no end', async (t) => {
    const file = join(folder, 'endless')
    writeFileSync(file, `${JSON.stringify(header)}\n["a/1","${'x'.repeat(32 * 1024 * 1024)}`)
    const stateDir = withPepperOf(source.stateDir, temporaryDirectory(t))
    const { code, stderr } = await postern(['restore', file, '--state-dir', stateDir])
    assert.equal(code, 1)
    assert.match(stderr, /^postern: the backup is damaged or not whole\n/)
  })
})

/** Items of an export that no daemon has written. */
const ITEMS: [what: string, items: readonly unknown[]][] = [
  ['an item of no kind', [...items, ['other', {}]]],
  ['an item that is empty', [...items, []]],
  ['a user that is null', [['user', null]]],
  ['a user without a name', [['user', { id: '7' }]]],
  [
    'a user of a type that there is not',
    [['user', { id: '7', username: 'x', type: 'god', status: 'enabled' }]],
  ],
  ['a token that is text', [...items.filter(([kind]) => kind === 'user'), ['token', 'x']]],
  [
    'a token whose hashes are text',
    items.map(([kind, item]) => [kind, kind === 'token' ? { ...item, name: 'n', hashes: 'abc' } : item]),
  ],
  [
    'a token whose scopes are null',
    items.map(([kind, item]) => [kind, kind === 'token' ? { ...item, scopes: null } : item]),
  ],
  [
    'a token whose name is an object',
    items.map(([kind, item]) => [kind, kind === 'token' ? { ...item, name: {} } : item]),
  ],
]

describe('postern import of a file that no postern export has written', () => {
  for (const [what, list] of ITEMS) {
    it(`with ${what}: refuses it in words, or takes it in, and the store is healthy`, async (t) => {
      const directory = temporaryDirectory(t)
      const stateDir = withPepperOf(source.stateDir, directory)
      await (await startDaemon(t, { directory })).stop()
      const file = craft(join(folder, 'hostile'), exportHeader, list)
      const { stderr } = await postern(['import', file, '--state-dir', stateDir])
      assert.doesNotMatch(stderr, /unexpected error/)
      assert.equal((await postern(['check', '--state-dir', stateDir])).stderr, '')
      const daemon = await startDaemon(t, { directory })
      assert.ok(await accepted(daemon, await mint(daemon)))
    })
  }
})

describe('postern export and import', () => {
  it('move users and tokens to a store with the same pepper, without secrets', async (t) => {
    const directory = temporaryDirectory(t)
    const stateDir = withPepperOf(source.stateDir, directory)
    await (await startDaemon(t, { directory })).stop()
    assert.ok(!readFileSync(moved, 'utf8').includes(token))
    const { code, stderr } = await postern(['import', moved, '--state-dir', stateDir])
    assert.deepEqual([code, stderr], [0, ''])
    assert.equal((await postern(['check', '--state-dir', stateDir])).code, 0)
    const again = JSON.parse((await postern(['import', moved, '--state-dir', stateDir])).stdout)
    assert.deepEqual([again.users, again.tokens, again.skipped.includes('original')], [0, 0, true])
    const daemon = await startDaemon(t, { directory })
    assert.ok(await accepted(daemon, token))
  })

  it('move them into a store that is new, which has its Admin then as every store has', async (t) => {
    const directory = temporaryDirectory(t)
    const stateDir = withPepperOf(source.stateDir, directory)
    assert.equal((await postern(['import', moved, '--state-dir', stateDir])).code, 0)
    const daemon = await startDaemon(t, { directory })
    assert.ok(await accepted(daemon, token), 'the token that was moved')
    assert.ok(await accepted(daemon, await mint(daemon)), 'a token that is minted afterwards')
    const users = await postern(['user', 'list', '--json', '--socket', daemon.socket])
    const admins = (JSON.parse(users.stdout) as { userid: string; username: string }[]).filter(
      ({ username }) => username === 'Admin',
    )
    assert.deepEqual(
      admins.map(({ userid }) => userid),
      ['1'],
    )
  })

  it('bring nothing along that was minted for the export itself', async () => {
    const names = linesOf(moved).flatMap((line) =>
      Array.isArray(line) && line[0] === 'token' ? [line[1]] : [],
    )
    assert.deepEqual(
      names.map(({ name }) => name),
      ['original'],
    )
  })

  it('refuse another pepper, and a new place can be given the right one afterwards', async (t) => {
    const directory = temporaryDirectory(t)
    const stateDir = join(directory, 'state')
    const refused = await postern(['import', moved, '--state-dir', stateDir])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /another pepper[\s\S]*hint: put the pepper of the other host/)
    mkdirSync(stateDir, { recursive: true })
    writeFileSync(join(stateDir, 'pepper'), readFileSync(join(source.stateDir, 'pepper')), { mode: 0o600 })
    const { code, stderr } = await postern(['import', moved, '--state-dir', stateDir])
    assert.deepEqual([code, stderr], [0, ''])
  })

  it('refuse a running daemon, and a file that is none', async (t) => {
    const running = await postern(['import', moved, '--state-dir', source.stateDir])
    assert.match(running.stderr, /^postern: the daemon is running\nhint: /)
    const stateDir = join(temporaryDirectory(t), 'state')
    const foreign = await postern(['import', backup, '--state-dir', stateDir])
    assert.match(foreign.stderr, /^postern: this is no export of postern\n/)
    assert.ok(!existsSync(stateDir))
  })
})
