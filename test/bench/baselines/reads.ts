import { join } from 'node:path'
import { Level } from 'level'
import { secretKey } from '../../../src/auth/records.ts'
import { Pepper } from '../../../src/auth/secret.ts'
import { placesIn, readPepper } from '../../../src/store/format.ts'
import { readSecrets } from '../load/secrets.ts'

/** Reads looked at between two looks at the clock. */
const AT_ONCE = 200

/** Nothing but LevelDB: reads what a verification has to read. Arguments: a daemon's folder, the secrets, how many of them. */
const folder = join(process.argv[2] as string, 'state')
const secrets = readSecrets(process.argv[3] as string, Number(process.argv[4]))
const { ownPepper, db: place } = placesIn(folder)
const pepper = new Pepper(readPepper(ownPepper, true))
const keys = secrets.map((secret) => Buffer.from(secretKey(pepper.hash(secret))))
const db = new Level<Buffer, string>(place, { keyEncoding: 'buffer', valueEncoding: 'utf8' })
await db.open()
let next = 0

/** Microseconds of processor time for each read. */
function read(milliseconds: number): number {
  const end = performance.now() + milliseconds
  const before = process.cpuUsage()
  let count = 0
  for (; performance.now() < end; count += AT_ONCE) for (let at = 0; at < AT_ONCE; at++) readNext()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

function readNext(): void {
  const key = keys[next] as Buffer
  next = (next + 1) % keys.length
  if (db.getSync(key) === undefined) throw new Error(`${key} is not in the store`)
}

process.on('message', (milliseconds: number) => process.send?.(read(milliseconds)))
process.on('disconnect', () => process.exit())
process.send?.('open')
