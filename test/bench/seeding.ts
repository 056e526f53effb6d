import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { DAEMON, type TokenRecord, tokenKey } from '../../src/auth/records.ts'
import { restored } from '../../src/auth/restoration.ts'
import { Pepper, printSecret } from '../../src/auth/secret.ts'
import { ADMIN_ID } from '../../src/auth/users.ts'
import { fingerprint } from '../../src/store/format.ts'
import { fillStateDirectory } from '../../src/store/restoring.ts'
import type { SeededTokens } from './load/plan.ts'

/** Ids of one width, so that requests and answers are as long for one token as for another. */
const FIRST_ID = 10_000_001
/** Longer than they are kept after their end. */
const LONG_AGO_MS = 60 * 86_400_000
const LIFETIME_MS = 86_400_000

export interface Seeded extends SeededTokens {
  /** The first one's. */
  readonly secret: string
}

export interface SeedingOptions {
  /** So many more that ended long ago and wait to be swept. Their ids follow; their secrets are not kept. */
  readonly expired?: number
}

/**
 * Fills the state directory of a daemon that is yet to start with tokens of Admin's, the way a backup is restored: it is
 * the daemon's own code that writes every index. `file`: where their secrets go, one a line.
 */
export async function seed(
  stateDir: string,
  count: number,
  file: string,
  { expired = 0 }: SeedingOptions = {},
): Promise<Seeded> {
  const key = randomBytes(32)
  const secrets = createWriteStream(file)
  await fillStateDirectory(stateDir, undefined, {
    pepper: key.toString('hex'),
    fingerprint: fingerprint(key),
    entries: restored(records({ count, expired }, new Pepper(key), secrets), {
      acceptRevived: true,
      commit: 0,
    }),
  })
  secrets.end()
  await finished(secrets)
  return { file, firstId: FIRST_ID, count, secret: secretOf(0) }
}

/** The same for a daemon of its own folder, as startDaemon lays it out. */
export function seedDaemon(directory: string, count: number, options?: SeedingOptions): Promise<Seeded> {
  return seed(join(directory, 'state'), count, join(directory, 'secrets'), options)
}

async function* records(
  { count, expired }: { count: number; expired: number },
  pepper: Pepper,
  secrets: WriteStream,
): AsyncGenerator<readonly [key: string, value: string]> {
  const now = Date.now()
  yield ['m/tokenids', String(FIRST_ID + count + expired)]
  for (let at = 0; at < count + expired; at++) {
    const isLive = at < count
    const secret = secretOf(at)
    if (isLive && !secrets.write(`${secret}\n`)) await once(secrets, 'drain')
    const id = String(FIRST_ID + at)
    const record = isLive ? endless(id, pepper.hash(secret), now) : ended(id, pepper.hash(secret), now)
    yield [tokenKey(id), JSON.stringify(record)]
  }
}

function secretOf(at: number): string {
  return printSecret(Buffer.from(hash('sha256', `seeded ${at}`, 'hex'), 'hex'))
}

function ended(id: string, hashed: string, now: number): TokenRecord {
  const created = now - LONG_AGO_MS
  const expires = created + LIFETIME_MS
  return { ...endless(id, hashed, created), expires, expiresAt: Math.floor(expires / 1000) }
}

function endless(id: string, hashed: string, created: number): TokenRecord {
  return {
    id,
    name: `minted-${id}`,
    description: '',
    user: ADMIN_ID,
    creator: ADMIN_ID,
    source: 'mint',
    status: 'enabled',
    scopes: ['*'],
    created,
    expires: null,
    expiresAt: 0,
    mintedBy: DAEMON,
    hashes: [hashed],
    revoked: null,
  }
}
