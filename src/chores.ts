import type { Logger } from 'pino'
import type { LastAccess } from './auth/last-access.ts'
import type { Ledger } from './auth/ledger.ts'
import { Sweeper } from './auth/sweeper.ts'
import type { UserObjects } from './auth/user-objects.ts'
import type { Config } from './config.ts'
import type { Clock } from './store/clock.ts'
import type { Store } from './store/store.ts'

const SWEEP_EVERY_MS = 60_000
const MARK_CLOCK_EVERY_MS = 60_000

export interface ChoreParts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  readonly lastAccess: LastAccess
  readonly userObjects: UserObjects
  readonly log: Logger
  readonly config: () => Config
}

/** What is done now and then: writing last access and the clock's mark, and sweeping. A chore that fails is tried again. */
export function startChores({ store, ledger, clock, lastAccess, userObjects, log, config }: ChoreParts): {
  stop(): Promise<void>
} {
  const sweeper = new Sweeper(store, ledger, clock)
  const stopping = new AbortController()
  let running: Promise<unknown> = Promise.resolve()
  const chore = (name: string, work: () => Promise<unknown>) => () => {
    if (!store.writable) return
    running = running.then(work).catch((err: unknown) => log.error({ err, chore: name }, 'a chore failed'))
  }
  const flush = chore('last access', () => lastAccess.flush())
  const sweep = chore('sweep', () => sweeper.sweep(config().tokens.retain_expired, stopping.signal))
  const mark = chore('clock', () => ledger.markTime())
  const timers = [
    setInterval(flush, config().tokens.last_access_flush),
    setInterval(sweep, SWEEP_EVERY_MS),
    setInterval(mark, MARK_CLOCK_EVERY_MS),
  ]
  for (const timer of timers) timer.unref()
  chore('tidy', () => userObjects.tidyDeleted())()
  sweep() // what ended while nobody was running
  return {
    async stop() {
      stopping.abort()
      for (const timer of timers) clearInterval(timer)
      flush()
      mark()
      await running
    },
  }
}
