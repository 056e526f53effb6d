import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Pace } from '../../src/store/pace.ts'

function work(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

describe('work that nobody waits for', () => {
  it('goes on at once after steps that take no time', async () => {
    const pace = new Pace()
    let turned = false
    setImmediate(() => {
      turned = true
    })
    await pace.breathe()
    assert.equal(turned, false)
  })

  it('rests while others are busy', async () => {
    const pace = new Pace()
    let isOver = false
    let others = 0
    const busy = () => {
      work(0.2)
      others++
      if (!isOver) setImmediate(busy)
    }
    busy()
    for (let step = 0; step < 20; step++) {
      work(0.5)
      await pace.breathe()
    }
    isOver = true
    assert.ok(others > 20, `${others} turns for others in 20 rests`)
  })
})
