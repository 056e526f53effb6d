import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { type Daemon, postern, type Scope, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { call, mint } from '../support/talk.ts'

const REFUSED = /^postern: .+\nhint: .+\n$/
/** Places at which a file is damaged, one after the other. */
const PLACES = 16
/** One that neither starts nor ends is killed, and has said nothing. */
const START_SECONDS = '10'

/** Of a daemon that was killed: part of its tokens are in tables, part in the log. */
interface Victim {
  readonly directory: string
  readonly tokens: readonly { readonly token: string; readonly name: string; readonly description: string }[]
}

/** The last line of a MANIFEST can be about nothing that anybody needs: then all has to be there. */
const MAY_LACK_NOTHING = new Set(['with its MANIFEST cut by some bytes'])

describe('a database that was damaged while nobody had it open', () => {
  let victim: Victim
  const cleanUps: (() => void)[] = []
  before(async () => {
    victim = await makeVictim({ after: (cleanUp) => cleanUps.push(cleanUp) })
  })
  after(() => {
    for (const cleanUp of cleanUps) cleanUp()
  })

  it('is as good as before without damage', async (t) => {
    assert.deepEqual(await serve(t, copyOf(t, victim)), { accepted: victim.tokens.length, unavailable: 0 })
  })

  it('is as good as before with a table that was being written when it was killed', async (t) => {
    const copy = copyOf(t, victim)
    writeFileSync(join(copy.directory, 'state', 'db', '999999.ldb'), randomBytes(5000))
    assert.deepEqual(await serve(t, copy), { accepted: victim.tokens.length, unavailable: 0 })
  })

  const damages: Record<string, (db: string) => void> = {
    'with its log cut by a byte': (db) => cut(file(db, '.log'), 1),
    'with its log cut by a record': (db) => cut(file(db, '.log'), 900),
    'without its log': (db) => rmSync(file(db, '.log')),
    'with an empty log': (db) => truncateSync(file(db, '.log')),
    'with a table cut by a byte': (db) => cut(file(db, '.ldb'), 1),
    'with a table cut by half': (db) => cut(file(db, '.ldb'), readFileSync(file(db, '.ldb')).length >> 1),
    'with an empty table': (db) => truncateSync(file(db, '.ldb')),
    'without a table': (db) => rmSync(file(db, '.ldb')),
    'with its MANIFEST cut by some bytes': (db) => cut(file(db, 'MANIFEST'), 20),
    'with an empty MANIFEST': (db) => truncateSync(file(db, 'MANIFEST')),
    'without its MANIFEST': (db) => rmSync(file(db, 'MANIFEST')),
    'without CURRENT': (db) => rmSync(join(db, 'CURRENT')),
    'with an empty CURRENT': (db) => truncateSync(join(db, 'CURRENT')),
    'with a CURRENT that leads nowhere': (db) => writeFileSync(join(db, 'CURRENT'), 'MANIFEST-999999\n'),
    'with no file at all': (db) => {
      for (const name of readdirSync(db)) rmSync(join(db, name))
    },
  }
  for (const [what, damage] of Object.entries(damages)) {
    it(`${what} is not served, in plain words`, async (t) => {
      const copy = copyOf(t, victim)
      damage(join(copy.directory, 'state', 'db'))
      const outcome = await serve(t, copy)
      if (MAY_LACK_NOTHING.has(what) && typeof outcome !== 'string') assert.ok(isWhole(outcome, victim))
      else assert.match(String(outcome), REFUSED)
    })
  }

  for (const ending of ['.log', 'MANIFEST']) {
    it(`with a flipped bit anywhere in its ${ending} is refused, or the record is; a key that is lost is refused too, and named by the check`, async (t) => {
      const faults: unknown[] = []
      for (let place = 0; place < PLACES; place++) {
        const copy = copyOf(t, victim)
        const path = file(join(copy.directory, 'state', 'db'), ending)
        const at = flip(path, (place + 0.5) / PLACES)
        const outcome = await serve(t, copy)
        const told = typeof outcome === 'string' ? REFUSED.test(outcome) : isWhole(outcome, victim)
        // LevelDB verifies no block: a token whose key was hit is not found any more, like one that never was.
        const named = !told && typeof outcome !== 'string' && (await checkFinds(copy))
        if (!told && !named) faults.push({ at, outcome })
      }
      assert.deepEqual(faults, [])
    })
  }

  it('with a flipped bit anywhere in its tables is not served, in plain words', async (t) => {
    for (let place = 0; place < PLACES; place++) {
      const copy = copyOf(t, victim)
      flip(file(join(copy.directory, 'state', 'db'), '.ldb'), (place + 0.5) / PLACES)
      assert.match(String(await serve(t, copy)), /is corrupt\nhint: restore your last backup/)
    }
  })
})

async function checkFinds({ directory }: Victim): Promise<boolean> {
  const { code, stderr } = await postern(['check', '--state-dir', join(directory, 'state')])
  return code === 1 && REFUSED.test(stderr)
}

async function makeVictim(t: Scope): Promise<Victim> {
  const directory = temporaryDirectory(t)
  const tokens: Victim['tokens'][number][] = []
  for (const end of ['SIGTERM', 'SIGTERM', 'SIGKILL'] as const) {
    const daemon = await startDaemon(t, { directory })
    for (let count = 0; count < 40; count++) {
      const name = `n-${tokens.length}`
      const description = randomBytes(150).toString('base64') // most of a record, and nothing to compress
      tokens.push({ name, description, token: await mint(daemon, { ttl: 0, name, description }) })
    }
    await daemon.stop(end)
  }
  return { directory, tokens }
}

function copyOf(t: Scope, { directory, tokens }: Victim): Victim {
  const copy = temporaryDirectory(t)
  cpSync(join(directory, 'state'), join(copy, 'state'), { recursive: true })
  return { directory: copy, tokens }
}

/** How many tokens are accepted and told about rightly, and how many it cannot tell about; or what it said instead of starting. */
type Outcome = { readonly accepted: number; readonly unavailable: number } | string

async function serve(t: Scope, { directory, tokens }: Victim): Promise<Outcome> {
  let daemon: Daemon
  try {
    daemon = await startDaemon(t, { directory, under: ['timeout', '--signal=KILL', START_SECONDS] })
  } catch (error) {
    return (error as Error).message.replace('the daemon ended at its start: ', '')
  }
  const counts = { accepted: 0, unavailable: 0 }
  for (const { token, name, description } of tokens) {
    const { status, json } = await call(
      daemon,
      'token.get',
      { token, output: ['name', 'description'] },
      { token },
    )
    if (status === 200 && isDeepStrictEqual(json.result, [{ name, description }])) counts.accepted++
    else if (status === 503 && json.error?.code === -32053) counts.unavailable++
  }
  await daemon.stop('SIGKILL')
  return counts
}

function isWhole(outcome: Exclude<Outcome, string>, { tokens }: Victim): boolean {
  return outcome.accepted + outcome.unavailable === tokens.length
}

/** The largest with that beginning or end. */
function file(db: string, part: string): string {
  const names = readdirSync(db).filter((name) => name.endsWith(part) || name.startsWith(part))
  const bySize = names.map((name) => ({ path: join(db, name), size: readFileSync(join(db, name)).length }))
  bySize.sort((one, other) => other.size - one.size)
  const [largest] = bySize
  assert.ok(largest !== undefined, `no ${part} in ${names.join()}`)
  return largest.path
}

function cut(path: string, bytes: number): void {
  truncateSync(path, readFileSync(path).length - bytes)
}

/** Returns which byte. */
function flip(path: string, where: number): number {
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length * where)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x04, at)
  writeFileSync(path, bytes)
  return at
}
