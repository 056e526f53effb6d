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

export interface Seeded extends SeededTokens {
  /** The first one's. */
  readonly secret: string
}

/**
 * Fills the state directory of a daemon that is yet to start with tokens of Admin's, the way a backup is restored: it is
 * the daemon's own code that writes every index. `file`: where their secrets go, one a line.
 */
export async function seed(stateDir: string, count: number, file: string): Promise<Seeded> {
  const key = randomBytes(32)
  const secrets = createWriteStream(file)
  await fillStateDirectory(stateDir, undefined, {
    pepper: key.toString('hex'),
    fingerprint: fingerprint(key),
    entries: restored(records(count, new Pepper(key), secrets), {
      acceptRevived: true,
      commit: 0,
    }),
  })
  secrets.end()
  await finished(secrets)
  return { file, firstId: FIRST_ID, count, secret: secretOf(0) }
}

/** The same for a daemon of its own folder, as startDaemon lays it out. */
export function seedDaemon(directory: string, count: number): Promise<Seeded> {
  return seed(join(directory, 'state'), count, join(directory, 'secrets'))
}

async function* records(
  count: number,
  pepper: Pepper,
  secrets: WriteStream,
): AsyncGenerator<readonly [key: string, value: string]> {
  const created = Date.now()
  yield ['m/tokenids', String(FIRST_ID + count)]
  for (let at = 0; at < count; at++) {
    const secret = secretOf(at)
    if (!secrets.write(`${secret}\n`)) await once(secrets, 'drain')
    const record = minted(String(FIRST_ID + at), pepper.hash(secret), created)
    yield [tokenKey(record.id), JSON.stringify(record)]
  }
}

function secretOf(at: number): string {
  return printSecret(Buffer.from(hash('sha256', `seeded ${at}`, 'hex'), 'hex'))
}

function minted(id: string, hashed: string, created: number): TokenRecord {
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
