import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { MAIN, postern, run, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { about, linesOf, withPepperOf } from '../support/stored.ts'
import { accepted, call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const folder = temporaryDirectory({ after })
const passphrase = join(folder, 'passphrase')
writeFileSync(passphrase, 'correct horse battery staple\n', { mode: 0o600 })
const identity = await generateIdentity()
const recipient = await identityToRecipient(identity)
const identityFile = join(folder, 'identity')
writeFileSync(identityFile, `# a comment, as age-keygen writes it\n${identity}\n`, { mode: 0o600 })

async function done(ended: Promise<{ code: number | null; stdout: string; stderr: string }>) {
  const { code, stdout, stderr } = await ended
  assert.deepEqual([code, stderr], [0, ''])
  return stdout
}

async function refused(ended: ReturnType<typeof postern>, message: RegExp, expected = 1) {
  const { code, stdout, stderr } = await ended
  assert.deepEqual([code, stdout], [expected, ''], stderr)
  assert.match(stderr, message)
  assert.doesNotMatch(stderr, /unexpected error|\n {4}at /)
}

const restore = (file: string, stateDir: string, ...more: string[]) =>
  postern(['restore', file, '--state-dir', stateDir, ...more])

describe('postern backup', () => {
  it('of a daemon at work holds every token that was acknowledged before it began', async (t) => {
    const minted: string[] = []
    let stop = false
    const worker = async () => {
      while (!stop) minted.push(await mint(daemon, { ttl: 3600 }))
    }
    const workers = [worker(), worker(), worker(), worker()]
    while (minted.length < 200) await new Promise((resolve) => setTimeout(resolve, 5))
    const before = minted.slice()
    const file = join(folder, 'under-load')
    await done(about(daemon, 'backup', file, '--without-pepper'))
    stop = true
    await Promise.all(workers)

    const directory = temporaryDirectory(t)
    const stateDir = withPepperOf(daemon.stateDir, directory)
    await done(restore(file, stateDir, '--accept-revived'))
    const { findings } = JSON.parse(await done(postern(['check', '--json', '--state-dir', stateDir])))
    assert.deepEqual(findings, [])
    const restored = await startDaemon(t, { directory })
    for (const token of before) assert.ok(await accepted(restored, token))
  })

  it('is for its owner alone, even where a file of that name, or half of one, lies already', async () => {
    const file = join(folder, 'mode')
    writeFileSync(file, 'old', { mode: 0o644 })
    writeFileSync(`${file}.new`, 'from a backup that was killed', { mode: 0o644 })
    await done(about(daemon, 'backup', file, '--without-pepper'))
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  it('writes through no link that lies where it begins its file', async (t) => {
    const directory = temporaryDirectory(t)
    const precious = join(directory, 'precious')
    writeFileSync(precious, 'precious')
    symlinkSync(precious, join(directory, 'file.new'))
    await about(daemon, 'backup', join(directory, 'file'), '--without-pepper')
    assert.ok(
      readFileSync(precious, 'utf8') === 'precious',
      'the file that the link leads to was overwritten',
    )
  })

  it('replaces nothing but a plain file', async (t) => {
    const directory = temporaryDirectory(t)
    const pipe = join(directory, 'pipe')
    await run('mkfifo', [pipe])
    for (const place of [pipe, directory]) {
      const { code } = await about(daemon, 'backup', place, '--without-pepper')
      assert.equal(code, 1, place)
    }
    assert.ok(statSync(pipe).isFIFO())
  })

  it('holds neither pepper nor secrets in plain text', async () => {
    const token = await mint(daemon)
    const file = join(folder, 'plain')
    await done(about(daemon, 'backup', file, '--without-pepper'))
    const text = readFileSync(file, 'utf8')
    assert.ok(!text.includes(readFileSync(join(daemon.stateDir, 'pepper'), 'utf8').trim()))
    assert.ok(!text.includes(token))
    assert.doesNotMatch(text, /pst_[0-9A-Za-z]{49}/)
  })

  it('is whole or not there at all', async (t) => {
    const directory = temporaryDirectory(t)
    const args = [MAIN, 'backup', join(directory, 'file'), '--without-pepper']
    const where = ['--state-dir', daemon.stateDir, '--socket', daemon.socket]
    // No file may grow beyond 4 KiB: as on a disk that is full.
    const full = await run('prlimit', ['--fsize=4096', process.execPath, ...args, ...where])
    assert.deepEqual([full.code, full.stdout, readdirSync(directory)], [1, '', []], full.stderr)
    assert.match(full.stderr, /^postern: cannot write .*file/)
    await refused(about(daemon, 'backup', join(directory, 'no/such'), '--without-pepper'), /cannot write/)
  })

  it('asks how it is to be kept safe', async () => {
    const file = join(folder, 'unsafe')
    await refused(about(daemon, 'backup', file), /hint: name one of/, 2)
    const both = ['--without-pepper', '--passphrase-file', passphrase]
    await refused(about(daemon, 'backup', file, ...both), /hint: name one of/, 2)
    await refused(about(daemon, 'backup', file, '--recipient', 'age1nobody'), /not a recipient of age/, 2)
    await refused(about(daemon, 'backup', file, '--passphrase-file', '/dev/null'), /passphrase .* is empty/)
    assert.ok(!existsSync(file))
  })

  it('is of a stopped daemon as well', async (t) => {
    const other = await startDaemon(t)
    const token = await mint(other)
    await other.stop()
    const file = join(folder, 'stopped')
    await done(about(other, 'backup', file, '--passphrase-file', passphrase))
    const directory = temporaryDirectory(t)
    await done(restore(file, join(directory, 'state'), '--passphrase-file', passphrase, '--accept-revived'))
    assert.ok(await accepted(await startDaemon(t, { directory }), token))
  })

  it('ends when it is asked to, and a thousand that are begun do not keep the daemon from working', async () => {
    const token = await mint(daemon)
    const begun = await Promise.all(
      Array.from({ length: 1000 }, () => call(daemon, 'backup.begin', {}, { token })),
    )
    const ids = begun.flatMap(({ json }) => (json.result as { backup: string } | undefined)?.backup ?? [])
    assert.ok(ids.length > 0 && ids.length <= 4)
    assert.ok(begun.every(({ status }) => status === 200 || status === 429 || status === 503))
    assert.ok(await accepted(daemon, await mint(daemon)))
    for (const from of ['', '\0', '\uffff', 't/', 'h/', 'x'.repeat(4096), '../../etc/passwd']) {
      const { json } = await call(daemon, 'backup.read', { backup: ids[0], from }, { token })
      const { entries } = json.result as { entries: [string, string][] }
      assert.ok(entries.every(([key]) => key >= from && /^(t|a|U|D|e|m)\//.test(key)))
    }
    for (const backup of ids) await call(daemon, 'backup.end', { backup }, { token })
    const { json } = await call(daemon, 'backup.read', { backup: ids[0] }, { token })
    assert.match(json.error?.data ?? '', /no such backup/)
    await done(about(daemon, 'backup', join(folder, 'after-all'), '--without-pepper'))
  })

  it('reads tokens with the longest descriptions in answers of a bounded size', async (t) => {
    const other = await startDaemon(t)
    const description = 'x'.repeat(65_535)
    await Promise.all(Array.from({ length: 300 }, () => mint(other, { ttl: 60, description })))
    const token = await mint(other)
    const { json } = await call(other, 'backup.begin', {}, { token })
    const { backup } = json.result as { backup: string }
    const { body } = await call(other, 'backup.read', { backup, from: 't/' }, { token })
    assert.ok(body.length < 8 * 1024 * 1024, `${body.length} bytes`)
  })
})

describe('postern restore', () => {
  const encrypted = {
    passphrase: ['--passphrase-file', passphrase],
    recipient: ['--recipient', recipient],
  }
  const opened = { passphrase: ['--passphrase-file', passphrase], recipient: ['--identity', identityFile] }

  for (const way of ['passphrase', 'recipient'] as const) {
    it(`brings back everything from a backup encrypted to a ${way}, with the pepper`, async (t) => {
      const token = await mint(daemon, { ttl: 3600, name: `restored by ${way}` })
      const file = join(folder, `${way}.age`)
      await done(about(daemon, 'backup', file, ...encrypted[way]))
      assert.ok(!readFileSync(file).includes('restored by'))
      const directory = temporaryDirectory(t)
      await done(restore(file, join(directory, 'state'), ...opened[way], '--accept-revived'))
      assert.equal(statSync(join(directory, 'state/pepper')).mode & 0o777, 0o600)
      assert.ok(await accepted(await startDaemon(t, { directory }), token))
    })
  }

  it('disables tokens, and one that is enabled again works', async (t) => {
    const token = await mint(daemon, { ttl: 3600, name: 'disabled at first' })
    const file = join(folder, 'disabled')
    await done(about(daemon, 'backup', file, '--without-pepper'))
    const directory = temporaryDirectory(t)
    await done(restore(file, withPepperOf(daemon.stateDir, directory)))
    const restored = await startDaemon(t, { directory })
    assert.ok(!(await accepted(restored, token)))
    const enable = ['token', 'update', 'disabled at first', '--enable', '--socket', restored.socket]
    await done(postern(enable))
    assert.ok(await accepted(restored, token))
  })

  it('skips ids ahead, those of users and of tokens, whatever was given out after the backup', async (t) => {
    const other = await startDaemon(t)
    const user = async (name: string) =>
      (await done(postern(['user', 'create', name, '--socket', other.socket]))).trim()
    const file = join(folder, 'ids')
    await done(about(other, 'backup', file, '--without-pepper'))
    const later = await mint(other)
    const whoAmI = await call(other, 'Auth.WhoAmI', {}, { token: later })
    const { tokenid } = whoAmI.json.result as { tokenid: string }
    const userid = await user('made after the backup')

    const directory = temporaryDirectory(t)
    await done(restore(file, withPepperOf(other.stateDir, directory)))
    const restored = await startDaemon(t, { directory })
    const anew = await call(restored, 'Auth.WhoAmI', {}, { token: await mint(restored) })
    assert.ok(Number((anew.json.result as { tokenid: string }).tokenid) > Number(tokenid))
    const another = await done(postern(['user', 'create', 'made anew', '--socket', restored.socket]))
    assert.ok(Number(another) > Number(userid), `user id ${another.trim()} was given out again`)
  })

  it('goes on with the audit log, whose chain verifies across it', async (t) => {
    const file = join(folder, 'audited')
    const kept = join(folder, 'audited.checkpoint')
    writeFileSync(kept, await done(postern(['audit', 'checkpoint', '--socket', daemon.socket])))
    await done(about(daemon, 'backup', file, '--passphrase-file', passphrase))
    const directory = temporaryDirectory(t)
    await done(restore(file, join(directory, 'state'), '--passphrase-file', passphrase))
    const restored = await startDaemon(t, { directory })
    const verify = ['audit', 'verify', '--checkpoint', kept, '--socket', restored.socket]
    assert.deepEqual(JSON.parse(await done(postern(verify))).faults, [])
    const restores = ['audit', '--method', 'store.restore', '--socket', restored.socket]
    const { commit } = linesOf(join(folder, 'plain'))[0] as { commit: number }
    assert.ok(JSON.parse(await done(postern(restores))).commit > commit)
  })

  it('is refused over a running daemon and over a store that is not empty', async (t) => {
    const file = join(folder, 'refused')
    await done(about(daemon, 'backup', file, '--passphrase-file', passphrase))
    const open = ['--passphrase-file', passphrase]
    await refused(restore(file, daemon.stateDir, ...open), /daemon is running/)
    const other = await startDaemon(t)
    const token = await mint(other)
    await other.stop()
    await refused(restore(file, other.stateDir, ...open), /there are tokens in/)
    assert.ok(await accepted(await startDaemon(t, { directory: other.directory }), token))
  })

  it('refuses a file that is cut off, altered, or something else, and leaves nothing behind', async (t) => {
    const [plain, sealed] = [join(folder, 'cut'), join(folder, 'cut.age')]
    await done(about(daemon, 'backup', plain, '--without-pepper'))
    await done(about(daemon, 'backup', sealed, '--recipient', recipient))
    const variants: [name: string, bytes: Buffer][] = []
    for (const file of [plain, sealed]) {
      const bytes = readFileSync(file)
      const middle = Math.floor(bytes.length / 2)
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(middle) ^ 1, middle)
      variants.push(
        ['cut in the middle', bytes.subarray(0, middle)],
        ['cut at the end', bytes.subarray(0, -2)],
        ['a bit flipped', flipped],
        ['with something behind its end', Buffer.concat([bytes, Buffer.from('["t/9","x"]\n')])],
      )
    }
    variants.push(['empty', Buffer.alloc(0)], ['foreign', Buffer.from('{"postern":"other"}\n')])
    variants.push(['no text', Buffer.alloc(1000, 0xff)])
    const altered = join(folder, 'altered')
    for (const [name, bytes] of variants) {
      writeFileSync(altered, bytes)
      const stateDir = withPepperOf(daemon.stateDir, temporaryDirectory(t))
      const { code, stderr } = await restore(altered, stateDir, '--identity', identityFile)
      assert.deepEqual([name, code, readdirSync(stateDir)], [name, 1, ['pepper']], stderr)
      assert.doesNotMatch(stderr, /unexpected error/, name)
    }
  })

  it('refuses a wrong passphrase, a missing one, and another pepper', async (t) => {
    const file = join(folder, 'opened')
    await done(about(daemon, 'backup', file, '--passphrase-file', passphrase))
    const wrong = join(folder, 'wrong')
    writeFileSync(wrong, 'wrong\n')
    const stateDir = join(temporaryDirectory(t), 'state')
    await refused(restore(file, stateDir, '--passphrase-file', wrong), /cannot be opened/)
    await refused(restore(file, stateDir, '--identity', identityFile), /cannot be opened/)
    await refused(restore(file, stateDir), /encrypted\nhint: /, 2)
    const plain = join(folder, 'plain')
    await refused(restore(plain, stateDir), /no pepper in it/)
    const other = join(temporaryDirectory(t), 'state')
    mkdirSync(other)
    writeFileSync(join(other, 'pepper'), `${'ab'.repeat(32)}\n`, { mode: 0o600 })
    await refused(restore(plain, other), /not the one that the backup was made with/)
  })
})
