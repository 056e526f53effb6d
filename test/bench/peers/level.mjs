import { join } from 'node:path'
import { Level } from 'level'
import { folder, keyOf, liveRecord, makeTokens } from './tokens.mjs'

/** Tokens in LevelDB, read at each call. */
export async function openTokens() {
  const db = new Level(join(folder, 'db'), { valueEncoding: 'utf8' })
  const tokens = makeTokens()
  await db.batch(tokens.map(({ key, value }) => ({ type: 'put', key, value })))
  return {
    secrets: tokens.map(({ secret }) => secret),
    find: async (secret) => liveRecord(await db.get(keyOf(secret))),
  }
}
