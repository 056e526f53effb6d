import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { run, serveArguments, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { accepted, mint } from '../support/talk.ts'

/** Starts a daemon that is expected to refuse, and returns what it says. */
async function refusal(directory: string): Promise<string> {
  const { code, stdout, stderr } = await run(process.execPath, serveArguments(directory))
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^postern: .+\n(hint: .+\n)?$/)
  return stderr
}

/** Every file below a folder with its content and time of change. */
function fingerprint(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map(
      (path) =>
        `${path} ${statSync(path).mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`,
    )
    .sort()
}

async function withOneToken(t: Parameters<typeof startDaemon>[0]) {
  const daemon = await startDaemon(t)
  const token = await mint(daemon)
  await daemon.stop()
  return { ...daemon, token }
}

describe('the state directory', () => {
  it('keeps tokens across a restart', async (t) => {
    const { directory, token } = await withOneToken(t)
    assert.ok(await accepted(await startDaemon(t, { directory }), token))
  })

  it('is for its owner alone', async (t) => {
    const { stateDir } = await withOneToken(t)
    assert.deepEqual(
      [statSync(stateDir).mode & 0o777, statSync(join(stateDir, 'pepper')).mode & 0o777],
      [0o700, 0o600],
    )
  })

  it('lets a second daemon say so and leaves everything untouched', async (t) => {
    const daemon = await startDaemon(t)
    await mint(daemon)
    await until('the first has made its ballast', () => existsSync(join(daemon.stateDir, 'ballast')))
    const before = fingerprint(daemon.stateDir)
    assert.match(await refusal(daemon.directory), new RegExp(`already running \\(pid ${daemon.pid}\\)`))
    assert.deepEqual(fingerprint(daemon.stateDir), before)
  })

  it('refuses a missing pepper beside a database, and makes no new one', async (t) => {
    const { directory, stateDir } = await withOneToken(t)
    rmSync(join(stateDir, 'pepper'))
    assert.match(await refusal(directory), /pepper .* is missing/)
    assert.ok(!existsSync(join(stateDir, 'pepper')))
  })

  it('refuses another pepper, a damaged one, and one that others can read', async (t) => {
    const { directory, stateDir } = await withOneToken(t)
    const pepper = join(stateDir, 'pepper')
    const before = fingerprint(join(stateDir, 'db'))
    writeFileSync(pepper, 'ab'.repeat(32))
    assert.match(await refusal(directory), /is not the one/)
    writeFileSync(pepper, 'x')
    assert.match(await refusal(directory), /damaged/)
    chmodSync(pepper, 0o644)
    writeFileSync(pepper, 'ab'.repeat(32))
    assert.match(await refusal(directory), /read by others/)
    assert.deepEqual(fingerprint(join(stateDir, 'db')), before)
  })

  it('refuses a newer format before the database is touched', async (t) => {
    const { directory, stateDir } = await withOneToken(t)
    const file = join(stateDir, 'format.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"format":2', '"format":3'))
    const before = fingerprint(join(stateDir, 'db'))
    assert.match(await refusal(directory), /format 3/)
    assert.deepEqual(fingerprint(join(stateDir, 'db')), before)
  })

  it('refuses a format file that is missing or damaged beside a database', async (t) => {
    const { directory, stateDir } = await withOneToken(t)
    writeFileSync(join(stateDir, 'format.json'), '{"form')
    assert.match(await refusal(directory), /damaged/)
    rmSync(join(stateDir, 'format.json'))
    assert.match(await refusal(directory), /missing/)
  })

  it('refuses a database whose CURRENT is gone', async (t) => {
    const { directory, stateDir } = await withOneToken(t)
    rmSync(join(stateDir, 'db/CURRENT'))
    assert.match(await refusal(directory), /CURRENT is missing/)
  })

  it('refuses when the database is gone, rather than begin an empty one', async (t) => {
    const { directory, stateDir } = await withOneToken(t)
    rmSync(join(stateDir, 'db'), { recursive: true })
    assert.match(await refusal(directory), /is gone\nhint: restore/)
  })

  it('goes on after a start that was killed before there was a database', async (t) => {
    const { directory, stateDir } = await withOneToken(t)
    const format = join(stateDir, 'format.json')
    // What a kill between the two leaves: the format file, and a database that was begun beside its place.
    writeFileSync(format, readFileSync(format, 'utf8').replace('"made"', '"to be made"'))
    rmSync(join(stateDir, 'db'), { recursive: true })
    mkdirSync(join(stateDir, 'db.new'))
    writeFileSync(join(stateDir, 'db.new/MANIFEST-000001'), 'half')
    await (await startDaemon(t, { directory })).stop()
    assert.ok(!existsSync(join(stateDir, 'db.new')))
    // And one before the format file.
    rmSync(join(stateDir, 'db'), { recursive: true })
    rmSync(format)
    await mint(await startDaemon(t, { directory }))
  })

  it('is named in one clear line when it cannot be made', async (t) => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, 'state'), 'a file')
    assert.match(await refusal(directory), /cannot open the state directory .*state/)
    rmSync(join(directory, 'state'))
    mkdirSync(join(directory, 'state'))
  })

  it('says that the disk is full, and leaves nothing half-made', {
    skip: process.getuid?.() !== 0 && 'mounts a small disk: needs root',
  }, async (t) => {
    const directory = temporaryDirectory(t)
    const disk = join(directory, 'state')
    mkdirSync(disk)
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
    if (mounted.code !== 0) return t.skip(`no tmpfs here: ${mounted.stderr}`)
    try {
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(60 * 1024))
      assert.match(await refusal(directory), /no space left on the disk/)
      assert.ok(!existsSync(join(disk, 'db')))
    } finally {
      await run('umount', [disk])
    }
  })
})
