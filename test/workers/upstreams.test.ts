import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startDaemon, until } from '../support/daemon.ts'
import type { Lines } from '../support/lives.ts'
import { mint } from '../support/talk.ts'
import { type Heard, table, upstream } from '../support/upstreams.ts'
import { accepted, Census, onEachWorker } from '../support/workers.ts'

const CONCURRENCY = 2

it('workers share the slots of an upstream: it never sees more calls at a time than it may', async (t) => {
  const fake = await upstream(t, 'tcp')
  const config = `[listen]\nworkers = 3\n${table(fake, { concurrency: CONCURRENCY })}`
  const daemon = await startDaemon(t, { config })
  const admin = await mint(daemon)
  const census = await Census.begin(t, daemon, admin)
  const lines = (await onEachWorker(census, 1, () => accepted(t, daemon))).map(([line]) => line as Lines)
  const held: Heard[] = []
  let most = 0
  fake.behaviour = (heard) => {
    most = Math.max(most, held.push(heard))
  }
  const calls = lines.flatMap((line) => Array.from({ length: 5 }, () => line.call('tcp.x', { Token: admin })))
  for (let answered = 0; answered < calls.length; answered++) {
    await until('one is under way', () => held.length > 0)
    held.shift()?.result('true')
  }
  for (const answer of await Promise.all(calls)) assert.equal(answer?.result, true)
  assert.equal(most, CONCURRENCY)
})
