import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Clock } from '../../src/store/clock.ts'

const DAY = 86_400_000
const START = 1_800_000_000_000

/** A machine's two clocks, by hand. */
function machine(mark?: number) {
  let wall = START
  let monotonic = 5_000.25
  const leaps: number[] = []
  const clock = new Clock(mark, { wall: () => wall, monotonic: () => monotonic }, (ahead) =>
    leaps.push(ahead),
  )
  return {
    clock,
    leaps,
    pass(milliseconds: number) {
      wall += milliseconds
      monotonic += milliseconds
    },
    setWall(to: number) {
      wall = to
    },
  }
}

describe('the clock', () => {
  it('follows the wall clock', () => {
    const { clock, pass } = machine()
    assert.equal(clock.now(), START)
    pass(1234)
    assert.equal(clock.now(), START + 1234)
  })

  it('goes on when the wall clock is set back', () => {
    const { clock, pass, setWall } = machine()
    pass(10_000)
    clock.now()
    setWall(START - DAY)
    pass(500)
    assert.ok(clock.now() >= START + 10_499)
  })

  it('goes on from the stored mark when the wall clock was set back during a restart', () => {
    const { clock, pass } = machine(START + 7 * DAY)
    pass(1000)
    assert.ok(Math.abs(clock.now() - (START + 7 * DAY + 1000)) <= 1)
  })

  it('believes a step ahead of up to a day', () => {
    const { clock, setWall } = machine()
    setWall(START + DAY)
    assert.equal(clock.now(), START + DAY)
    setWall(START)
    assert.ok(clock.now() >= START + DAY - 1)
  })

  it('compares with a leap of more than a day, reports it once, and does not mark it', () => {
    const { clock, setWall, leaps } = machine()
    setWall(START + 365 * DAY)
    assert.deepEqual([clock.now(), clock.now()], [START + 365 * DAY, START + 365 * DAY])
    assert.equal(leaps.length, 1)
    assert.ok(Math.abs(clock.believed() - START) <= 1)
  })

  it('forgets a bogus leap when the wall clock is put right', () => {
    const { clock, setWall, pass } = machine()
    setWall(START + 365 * DAY)
    clock.now()
    setWall(START)
    pass(1000)
    assert.ok(Math.abs(clock.now() - START - 1000) <= 1)
  })

  it('believes a leap that has lasted a day', () => {
    const { clock, setWall, pass } = machine()
    setWall(START + 365 * DAY)
    clock.now()
    pass(DAY)
    clock.now()
    assert.equal(clock.believed(), START + 366 * DAY)
  })
})
