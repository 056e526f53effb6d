import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Commons, type Guest } from '../../src/server/commons.ts'

const stranger = (): Guest => ({ queued: false, closed: false, waiting: [], wake: () => {} })

/** Turns of the event loop, each of which serves somebody else, until a stranger who comes now is served. */
async function turnsOfOthers(commons: Commons): Promise<number> {
  let served = false
  let turns = 0
  commons.serve(stranger(), () => {
    served = true
  })
  for (; !served; turns++) {
    commons.pass()
    await nextTurn()
  }
  return turns
}

it('strangers do not wait for as long as the machine stood still in the middle of a message of theirs', async () => {
  const commons = new Commons()
  commons.serve(stranger(), () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000))
  // At least 0.02 ms in each turn, and never more than 20 ms owed: without that bound some 50,000 turns.
  assert.ok((await turnsOfOthers(commons)) <= 1_010)
})
