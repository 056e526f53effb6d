import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Daemon, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { Ledger } from './ledger.ts'
import { startLoad } from './load.ts'
import { examine } from './power-cut.ts'

const ROUNDS = 10

describe('kill -9', () => {
  it('loses nothing that was acknowledged, and revives nothing, time after time', async (t) => {
    const directory = temporaryDirectory(t)
    const ledger = new Ledger()
    let daemon = await startDaemon(t, { directory })
    for (let round = 1; round <= ROUNDS; round++) {
      await runUntilKilled(daemon, ledger)
      const { losses, ...examined } = await examine(t, { directory }, ledger)
      assert.deepEqual(losses, [], `round ${round}`)
      daemon = examined.daemon as Daemon
    }
    assert.ok(ledger.acknowledged > ROUNDS * 100)
    assert.ok(ledger.unknown > 0)
  })
})

async function runUntilKilled(daemon: Daemon, ledger: Ledger): Promise<void> {
  const load = await startLoad(daemon, ledger)
  const enough = ledger.acknowledged + 100 + Math.floor(Math.random() * 200)
  try {
    await until('some work is done', () => ledger.acknowledged > enough, 60_000)
  } finally {
    await daemon.stop('SIGKILL')
    await load.stop()
  }
}
