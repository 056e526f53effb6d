import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { MiB } from '../support/vitals.ts'
import { ALLOWANCES, broken } from './rules.ts'
import type { Sample } from './samples.ts'
import { soak } from './soak.ts'
import { KINDS } from './toil.ts'

const SECONDS = 10
/** So short a run is all warm-up, on a machine that does other things: what leaks in earnest is seen by the long one. */
const SHORT = {
  ...ALLOWANCES,
  memory: { share: 0.5, remainder: 64 * MiB },
  state: { share: 1, remainder: 32 * MiB },
  latency: undefined,
}

describe('endurance', { skip: process.platform !== 'linux' && 'reads /proc' }, () => {
  it('a mixed load is answered rightly, leaves nothing open, is tidied up after, and survives a restart', async () => {
    const { faults, register, kept } = await soak(
      { after },
      { minutes: SECONDS / 60, intervals: 20, workers: 8, allowances: SHORT, least: 3 },
    )
    assert.deepEqual(faults, [])
    for (const kind of KINDS) assert.ok(register.done.has(kind), `${kind} was done`)
    assert.ok(kept.sweeps >= 3 && kept.cuts >= 3)
  })
})

describe('the verdict on a run', () => {
  const LEVEL: Sample = {
    memory: 100 * MiB,
    descriptors: 80,
    sockets: 40,
    state: 20 * MiB,
    p50: 1,
    p99: 5,
    bare: 0.5,
  }
  const run = (of: (n: number) => Partial<Sample>) =>
    Array.from({ length: 40 }, (_, n) => ({ ...LEVEL, ...of(n) }))
  const rising: Readonly<Record<string, (n: number) => Partial<Sample>>> = {
    memory: (n) => ({ memory: (100 + 4 * n) * MiB }),
    sockets: (n) => ({ sockets: 40 + 2 * n }),
    descriptors: (n) => ({ descriptors: 80 + 8 * n }),
    'the state directory': (n) => ({ state: (20 + 8 * n) * MiB }),
    latency: (n) => ({ p50: 1 + n / 8 }),
  }

  it('is good for one that is level, and for one that had a bad moment', () => {
    assert.deepEqual(
      broken(
        run(() => ({})),
        ALLOWANCES,
      ),
      [],
    )
    assert.deepEqual(
      broken(
        run((n) => (n === 35 ? { memory: 900 * MiB, p50: 99 } : {})),
        ALLOWANCES,
      ),
      [],
    )
  })

  it('is good where the whole machine is slower', () => {
    assert.deepEqual(
      broken(
        run((n) => ({ p50: 1 + n, bare: 0.5 + n / 2 })),
        ALLOWANCES,
      ),
      [],
    )
  })

  for (const [what, of] of Object.entries(rising))
    it(`names ${what} where that rises on and on, and nothing else`, () => {
      const [fault, ...others] = broken(run(of), ALLOWANCES)
      assert.match(fault ?? '', new RegExp(`^${what} does not level out`))
      assert.deepEqual(others, [])
    })

  it('is not good for a run of which nothing is known', () => {
    assert.equal(broken([], ALLOWANCES).length, 5)
  })
})
