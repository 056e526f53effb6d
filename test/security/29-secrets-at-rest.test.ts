import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { SEAL_PURPOSE, Seal } from '../../src/auth/jwt/seal.ts'
import { Pepper } from '../../src/auth/secret.ts'
import { fingerprint } from '../../src/store/format.ts'
import { filesBelow, pepperOf } from '../support/bytes-at-rest.ts'
import { type Canary, canary, finds, type Place, signatureOf, uniqueSecret } from '../support/canaries.ts'
import {
  type Daemon,
  postern,
  refusal,
  serveArguments,
  startDaemon,
  temporaryDirectory,
} from '../support/daemon.ts'
import { configure } from '../support/datafor.ts'
import { ok } from '../support/lives.ts'
import { about, craft, linesOf, rows } from '../support/stored.ts'
import { accepted, mint } from '../support/talk.ts'

const directory = temporaryDirectory({ after })
const copies = temporaryDirectory({ after })
const signing = uniqueSecret('signing')
const name = 'outside'
const witness = uniqueSecret('witness').slice(0, 40)
const recipient = await identityToRecipient(await generateIdentity())

/** Secrets of every kind, and of every way to get one. */
async function fill(daemon: Daemon): Promise<{ secrets: string[]; canaries: Canary[]; live: string[] }> {
  const admin = await mint(daemon)
  const minted = await mint(daemon, { ttl: 0, name: witness, description: 'x'.repeat(300) })
  const { tokenids } = await ok<{ tokenids: string[] }>(daemon, 'token.create', { name: 'made' }, admin)
  const [generated] = await ok<{ token: string }[]>(daemon, 'token.generate', tokenids, admin)
  const rotated = await ok<{ token: string }>(
    daemon,
    'token.rotate',
    { tokenid: tokenids[0], grace: 3600 },
    admin,
  )
  const counted = await mint(daemon, { ttl: 0, max_uses: 9 })
  const over = await mint(daemon)
  await ok(daemon, 'Auth.RevokeApiToken', {}, over)
  await configure(daemon, admin, { name, secret: signing, self_service: '1', expire: 600 })
  const jwt = await ok<{ token: string }>(daemon, 'jwt.personal.issue', {}, admin)
  const live = [admin, minted, generated?.token ?? '', rotated.token, counted]
  for (const token of [...live, jwt.token]) assert.ok(await accepted(daemon, token), 'accepted')
  const secrets = [...live, over]
  const canaries = [
    ...secrets.map((secret, at) => canary(`token ${at}`, secret)),
    canary('the signing secret', signing),
    signatureOf('the JWT', jwt.token),
  ]
  return { secrets, canaries, live: [...live, jwt.token] }
}

/** Another daemon on the same files writes what was in LevelDB's log into a table; compressed, where that is shorter. */
const first = await startDaemon({ after }, { directory })
const { secrets, canaries, live } = await fill(first)
await first.stop()
const daemon = await startDaemon({ after }, { directory })
const pepper = pepperOf(daemon.stateDir)
const keys = [
  canary('the pepper', pepper),
  canary('the pepper in its file', pepper.toString('hex')),
  canary('the sealing key', Pepper.derive(pepper, SEAL_PURPOSE)),
]

/** No secret, but what is no secret is there: it was looked at in the right way. */
function assertNoSecret(places: readonly Place[]): void {
  assert.notDeepEqual(finds(places, [canary('the witness', witness)]), [])
  assert.deepEqual(finds(places, [...canaries, ...keys]), [])
}

/**
 * A copy of the database and what is beside it, without the pepper. And without the ballast, random bytes that keep room
 * on the disk: a daemon writes them a second after its start, and renames the file, maybe while it is being copied.
 */
function copied(to: string): string {
  const state = join(copies, to, 'state')
  cpSync(daemon.stateDir, state, { recursive: true, filter: (file) => !basename(file).startsWith('ballast') })
  rmSync(join(state, 'pepper'))
  return state
}

describe('pitfall 29: secrets at rest', () => {
  it('are not in a copy of the database of a daemon at work, in its tables least of all', async () => {
    await mint(daemon, { ttl: 0, name: `${witness}2` })
    const places = filesBelow(copied('running'))
    const blocks = places.filter(([where]) => where.startsWith('the blocks of'))
    assertNoSecret(places)
    assertNoSecret(blocks)
  })

  it('are not in a backup, nor in an export', async () => {
    const places: Place[] = []
    for (const [command, ...more] of [['backup', '--without-pepper'], ['export']] as [
      string,
      ...string[],
    ][]) {
      const file = join(copies, command)
      const { code, stderr } = await about(daemon, command, file, ...more)
      assert.equal(code, 0, stderr)
      places.push([`the ${command}`, readFileSync(file)])
    }
    for (const place of places) assertNoSecret([place])
  })

  it('are not in a backup that the pepper is in, which is encrypted as a whole', async () => {
    const file = join(copies, 'encrypted')
    const { code, stderr } = await about(daemon, 'backup', file, '--recipient', recipient)
    assert.equal(code, 0, stderr)
    const places: Place[] = [['the encrypted backup', readFileSync(file)]]
    assert.deepEqual(finds(places, [...canaries, ...keys, canary('the witness', witness)]), [])
  })

  it('are not in the database of a daemon that has stopped, in no value of it and no key', async () => {
    await daemon.stop()
    assertNoSecret(filesBelow(copied('stopped')))
    const stored = (await rows(daemon.stateDir)).map(([key, value]) => `${key} ${value}`).join('\n')
    assertNoSecret([['the rows', stored]])
  })

  it('are there as hashes, and those of JWTs encrypted, under keys that are made from the pepper', async () => {
    const stored = new Map(await rows(daemon.stateDir))
    const hashed = (key: Buffer, secret: string) => stored.has(`h/${new Pepper(key).hash(secret)}`)
    for (const secret of secrets.slice(0, -1)) assert.ok(hashed(pepper, secret), 'there')
    const other = Buffer.from(pepper).fill(1, 0, 1)
    for (const secret of secrets) assert.ok(!hashed(other, secret), 'under the one pepper alone')
    const [, sealed = ''] = /"secret":"([\w-]+)"/.exec(stored.get(`j/${name}`) ?? '') ?? []
    const open = (key: Buffer) => new Seal(Pepper.derive(key, SEAL_PURPOSE)).open(sealed, name)
    assert.equal(open(pepper), signing)
    assert.throws(() => open(other))
  })
})

describe('pitfall 29: a copy of the database without the pepper', () => {
  it('is refused, whoever starts a daemon on it', async () => {
    copied('none')
    assert.match(await refusal(serveArguments(join(copies, 'none'))), /the pepper .+ is missing/)
    const state = copied('wrong')
    writeFileSync(join(state, 'pepper'), Buffer.alloc(32, 1).toString('hex'), { mode: 0o600 })
    assert.match(await refusal(serveArguments(join(copies, 'wrong'))), /is not the one/)
  })

  it('verifies no token, even where its fingerprint is forged', async (t) => {
    const state = copied('forged')
    const another = Buffer.alloc(32, 1)
    writeFileSync(join(state, 'pepper'), another.toString('hex'), { mode: 0o600 })
    const format = JSON.parse(readFileSync(join(state, 'format.json'), 'utf8'))
    writeFileSync(join(state, 'format.json'), JSON.stringify({ ...format, pepper: fingerprint(another) }))
    const thief = await startDaemon(t, { directory: join(copies, 'forged') })
    for (const token of live) assert.equal(await accepted(thief, token), false)
    assert.ok(await accepted(thief, await mint(thief)), 'its own')
    await thief.stop()

    writeFileSync(join(copied('whole'), 'pepper'), pepper.toString('hex'), { mode: 0o600 })
    const owner = await startDaemon(t, { directory: join(copies, 'whole') })
    for (const token of live) assert.ok(await accepted(owner, token), 'with it, all are')
  })
})

it('pitfall 29: two hosts that accept the same token hold different hashes of it', async (t) => {
  const moved = join(copies, 'moved')
  assert.equal((await about(daemon, 'export', moved)).code, 0)
  const host = await startDaemon(t)
  await host.stop()
  const own = pepperOf(host.stateDir)
  const shared = secrets.slice(0, 4) // the others are counted, or over, and not exported
  const hashes = shared.map((secret) => [pepper, own].map((key) => new Pepper(key).hash(secret)))
  // No command takes in what another pepper has hashed, so it is done by hand.
  const [header, ...entries] = linesOf(moved).slice(0, -1)
  let text = JSON.stringify(entries)
  for (const [here = '', there = ''] of hashes) text = text.replaceAll(here, there)
  craft(moved, { ...(header as object), fingerprint: fingerprint(own) }, JSON.parse(text))
  const { code, stderr } = await postern(['import', moved, '--state-dir', host.stateDir])
  assert.equal(code, 0, stderr)

  const again = await startDaemon(t, { directory: host.directory })
  for (const secret of shared) assert.ok(await accepted(again, secret), 'accepted there')
  await again.stop()
  const [here, there] = [await rows(daemon.stateDir), await rows(host.stateDir)].map(
    (all) => new Set(all.map(([key]) => key).filter((key) => key.startsWith('h/'))),
  )
  for (const [one, other] of hashes) {
    assert.ok(here?.has(`h/${one}`) && there?.has(`h/${other}`), 'each its own')
    assert.ok(!here?.has(`h/${other}`) && !there?.has(`h/${one}`), 'and not the other')
  }
})
