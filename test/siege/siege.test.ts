import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../support/daemon.ts'
import { needsProgram } from '../support/root.ts'
import { accepted, call, mint } from '../support/talk.ts'
import { MiB, memoryOf } from '../support/vitals.ts'
import { ATTACKS } from './attacks/index.ts'
import { REGULARS } from './regulars.ts'
import { build, isFreed, withPeak } from './siege.ts'

/** What an attack may make the daemon hold beyond what it held before. */
const MOST_MEMORY = 250 * MiB
/** How long an attack goes on in which nobody is waited for, in milliseconds. */
const ATTACK_MS = 150
/** What is freed is freed because its client has gone, not because its time is over. */
const PATIENT = 'header_timeout = "1h"\nbody_timeout = "1h"\nidle = "1h"'
/** A bound, not a measurement. */
const PATIENCE_MS = 20_000
/** The regulars' calls during an attack. */
const CALLS = 24

describe('under attack', needsProgram('openssl'), async () => {
  const fortress = await build({ after }, { scale: 0.1, most: 128 * 1024 }, PATIENT)
  const { daemon, regulars, attacker } = fortress
  const before = memoryOf(daemon.pid)

  for (const { name } of ATTACKS)
    it(`${name}: whoever behaves is answered rightly, memory is bounded, and everything is freed`, async () => {
      const [service, peak] = await withPeak(daemon.pid, async () => {
        await attacker.begin(name)
        await pause(ATTACK_MS)
        return regulars.paced(CALLS * 4, 250, PATIENCE_MS)
      })
      await attacker.end()
      await regulars.closed(1, PATIENCE_MS) // all of them are there, so that sockets can be counted
      assert.deepEqual(service.wrong, [])
      assert.deepEqual([service.calls, service.answered], [CALLS, CALLS])
      assert.ok(peak - before < MOST_MEMORY, `grew by ${Math.round((peak - before) / MiB)} MiB`)
      assert.ok(await isFreed(fortress, PATIENCE_MS), 'sockets stay open')
      await until('no more connections than before', async () => (await connections()) <= 1 + REGULARS)
    })

  it('is over, and the daemon is what it was', async () => {
    const token = await mint(daemon)
    assert.ok(await accepted(daemon, token))
    assert.doesNotMatch(daemon.log(), /"level":(50|60)/)
  })

  async function connections(): Promise<number> {
    const { json } = await call(daemon, 'system.info', {}, { token: await mint(daemon, { ttl: 60 }) })
    return (json.result as { counts: { connections: number } }).counts.connections
  }
})
