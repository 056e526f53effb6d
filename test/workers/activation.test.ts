import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { handing } from '../support/manager.ts'
import { needsProgram } from '../support/root.ts'
import { call, mint } from '../support/talk.ts'
import { accepted, Census, onEachWorker } from '../support/workers.ts'

/** Connections at a time, and how often. */
const AT_ONCE = 60
const ROUNDS = 10

it(
  'sockets that systemd has opened are served by all workers, who take turns to ask the kernel',
  needsProgram('python3'),
  async (t) => {
    const directory = temporaryDirectory(t)
    const under = handing(['unix', join(directory, 's.sock')], ['tcp', '127.0.0.1:0'], ['diag', 'inet-diag'])
    const daemon = await startDaemon(t, { directory, under, config: '[listen]\nworkers = 3\n' })
    const census = await Census.begin(t, daemon, await mint(daemon))
    await onEachWorker(census, 1, () => accepted(t, daemon))
    for (let round = 0; round < ROUNDS; round++) {
      const minting = Array.from({ length: AT_ONCE }, () =>
        call(daemon, 'Auth.CreateApiToken', { ttl: 9 }, { door: 'tcp' }),
      )
      for (const { json } of await Promise.all(minting)) assert.equal(json.error, undefined)
    }
    assert.equal(await daemon.stop(), 0)
  },
)
