import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Pace } from '../../src/store/pace.ts'

describe('work that nobody waits for', () => {
  it('goes on at once after steps that take no time', async () => {
    const pace = new Pace(() => 0)
    const turns = countTurns()
    for (let step = 0; step < 20; step++) await pace.breathe()
    assert.equal(turns.end(), 0)
  })

  it('leaves others many turns after a long step', async () => {
    let now = 0
    const pace = new Pace(() => now)
    const turns = countTurns(() => busy(0.2))
    for (let step = 0; step < 10; step++) {
      now += 5
      await pace.breathe()
    }
    assert.ok(turns.end() > 10)
  })

  it('leaves them one turn where nobody has anything to do', async () => {
    let now = 0
    const pace = new Pace(() => now)
    // That nobody has is seen in a rest, which other processes can disturb: so more than one try.
    for (let rest = 0; rest < 100; rest++) {
      now += 5
      await pace.breathe()
      now += 5
      const turns = countTurns()
      await pace.breathe()
      if (turns.end() === 1) return
    }
    assert.fail('it rested each time')
  })
})

/** Counts turns of the event loop until its end; `work`: what is done in each. */
function countTurns(work: () => void = () => {}): { end(): number } {
  let turns = 0
  const turn = () => {
    turns++
    work()
    next = setImmediate(turn)
  }
  let next = setImmediate(turn)
  return {
    end() {
      clearImmediate(next)
      return turns
    },
  }
}

function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}
