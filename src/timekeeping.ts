import type { Logger } from 'pino'
import type { Ledger } from './auth/ledger.ts'
import type { Actor } from './auth/records.ts'
import type { ClockReset } from './methods/method.ts'
import { CLOCK_MARK, Clock, type TimeSource } from './store/clock.ts'
import type { OffsetMemory } from './store/clock-offset.ts'
import type { Store } from './store/store.ts'

/** The clock, which goes on from the last time that was believed. */
export async function openClock(
  store: Store,
  log: Logger,
  time: TimeSource,
  shared?: OffsetMemory,
): Promise<Clock> {
  const mark = await store.get(CLOCK_MARK)
  const tellLeap = (aheadMs: number) => {
    const days = Math.round(aheadMs / 86_400_000)
    log.warn(
      { days },
      'the clock is far ahead of the last time that was believed; it will be believed for good in a day',
    )
  }
  return new Clock(mark === undefined ? undefined : Number(mark.value), time, tellLeap, shared)
}

/** Recorded under the time that was believed; whatever comes next is under the new one. */
export async function resetClock(clock: Clock, ledger: Ledger, by: Actor): Promise<ClockReset> {
  const before = clock.believed()
  await ledger.commit({ steps: [], audit: [{ event: 'clock.reset', by, before, now: clock.wall }] })
  clock.reset()
  await ledger.markTime()
  return { before, now: clock.believed() }
}
