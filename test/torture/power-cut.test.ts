import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { needsRoot } from '../support/root.ts'
import { DISK_PROGRAMS } from './disk.ts'
import { powerCuts } from './power-cut.ts'

const CUTS = 20
/** Cuts in which a daemon that does not sync may be lucky. */
const LUCK = 5

describe('power cuts', () => {
  it('lose nothing that was acknowledged, and revive nothing', needsRoot(...DISK_PROGRAMS), async (t) => {
    let acknowledged = 0
    for await (const cut of powerCuts(t, CUTS)) {
      assert.deepEqual(cut.losses, [], `cut ${cut.number}`)
      acknowledged += cut.acknowledged
    }
    assert.ok(acknowledged > CUTS * 20)
  })

  it('show the loss when nothing is synced', needsRoot(...DISK_PROGRAMS, 'eatmydata'), async (t) => {
    for await (const { losses } of powerCuts(t, LUCK, { under: ['eatmydata'] })) if (losses.length > 0) return
    assert.fail('nothing was lost without syncing: these cuts show nothing')
  })
})
