import assert from 'node:assert/strict'
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { LevelDatabase } from '../../src/store/level-database.ts'
import { refuseDamagedTables } from '../../src/store/tables.ts'
import { forgetWholeTables, WholeTables } from '../../src/store/whole-tables.ts'
import { type Scope, temporaryDirectory } from '../support/daemon.ts'

/** A database with tables, and one of them. */
async function database(t: Scope): Promise<{ folder: string; name: string; path: string }> {
  const folder = join(temporaryDirectory(t), 'db')
  for (const round of [1, 2]) {
    const db = await LevelDatabase.open(folder)
    async function* entries() {
      for (let n = 0; n < 2_000; n++) yield { key: `k/${round}/${n}`, value: 'v'.repeat(100), version: 1 }
    }
    await db.fill(entries())
    await db.close()
  }
  const name = readdirSync(folder).find((file) => file.endsWith('.ldb')) as string
  return { folder, name, path: join(folder, name) }
}

it('a table that was found whole is not read again, until somebody has written to it', async (t) => {
  const { folder, name, path } = await database(t)
  assert.equal(new WholeTables(folder).has(name), false)
  refuseDamagedTables(folder)
  assert.equal(new WholeTables(folder).has(name), true)
  const bytes = readFileSync(path)
  writeFileSync(path, bytes)
  assert.equal(new WholeTables(folder).has(name), false)
})

it('a table that was damaged since is refused, whatever its times say', async (t) => {
  const { folder, path } = await database(t)
  refuseDamagedTables(folder)
  const bytes = readFileSync(path)
  bytes[100] = (bytes[100] as number) ^ 1
  writeFileSync(path, bytes)
  utimesSync(path, 1, 1)
  assert.throws(() => refuseDamagedTables(folder), /is corrupt/)
  assert.throws(() => refuseDamagedTables(folder), /is corrupt/) // and again: it is not remembered as whole
})

it('a note that is no note, or is forgotten, only makes everything be looked at', async (t) => {
  const { folder, name } = await database(t)
  refuseDamagedTables(folder)
  for (const note of ['', '{', '[[]]', '[["x",null]]', '"x"']) {
    writeFileSync(`${folder}.whole-tables`, note)
    assert.equal(new WholeTables(folder).has(name), false)
    refuseDamagedTables(folder)
    assert.equal(new WholeTables(folder).has(name), true)
  }
  forgetWholeTables(folder)
  assert.equal(new WholeTables(folder).has(name), false)
})
