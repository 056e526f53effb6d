import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Arguments: a folder of one's own, and how many tokens to make. */
export const folder = process.argv[2]
export const count = Number(process.argv[3])

/** The last moment that a Date can name. */
const FOREVER = 8.64e15
/** As long as the daemon keeps a connection on which nobody asks, in milliseconds. */
const IDLE_MS = 120_000

/** Secrets, and what is stored of them: under their hash, as whoever stores tokens should. */
export function makeTokens() {
  return Array.from({ length: count }, (_, at) => {
    const secret = randomBytes(32).toString('base64url')
    const record = { id: String(at), user: 'admin', scopes: ['*'], expires: FOREVER }
    return { secret, key: keyOf(secret), value: JSON.stringify(record) }
  })
}

export function keyOf(secret) {
  return hash('sha256', secret, 'hex')
}

/** The record of a token that is still good. */
export function liveRecord(value) {
  const record = value === undefined || value === null ? undefined : JSON.parse(value)
  return record !== undefined && record.expires > Date.now() ? record : undefined
}

/** What is asked for: who this token is. */
export function whoIs({ id, user, scopes }) {
  return { result: { id, user, scopes } }
}

/** Tells who has started us where we listen and what to ask with. */
export async function begin(server, secrets) {
  const file = join(folder, 'secrets')
  writeFileSync(file, secrets.map((secret) => `${secret}\n`).join(''))
  server.keepAliveTimeout = IDLE_MS
  if (!server.listening) await once(server, 'listening')
  process.send({ port: server.address().port, file })
  process.on('disconnect', () => process.exit())
}
