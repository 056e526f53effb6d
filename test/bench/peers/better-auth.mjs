import { join } from 'node:path'
import { apiKey } from '@better-auth/api-key'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import Database from 'better-sqlite3'
import { serveBare } from './bare.mjs'
import { begin, count, folder, whoIs } from './tokens.mjs'

/** better-auth's API keys in SQLite, without its limit of ten calls a day. */
const database = new Database(join(folder, 'auth.db'))
database.pragma('journal_mode = WAL')
const options = {
  database,
  baseURL: 'http://127.0.0.1',
  secret: 'only for the benchmark, and for nothing else',
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
}
const { runMigrations } = await getMigrations(options)
await runMigrations()
const auth = betterAuth(options)
const { user } = await auth.api.signUpEmail({
  body: { name: 'admin', email: 'admin@example.org', password: 'only for the benchmark' },
})
const secrets = []
while (secrets.length < count)
  secrets.push((await auth.api.createApiKey({ body: { name: 'key', userId: user.id } })).key)

const server = serveBare(async (key) => {
  const { valid, key: found } = await auth.api.verifyApiKey({ body: { key } })
  return valid ? whoIs({ id: found.id, user: found.referenceId, scopes: ['*'] }) : undefined
})
await begin(server, secrets)
