import type { Logger } from 'pino'
import type { PersonalTokens } from '../auth/jwt/personal-tokens.ts'
import type { LastAccess } from '../auth/last-access.ts'
import { ChoreQueue } from '../chore-queue.ts'
import type { Config } from '../config.ts'
import type { Errands } from '../protocol/errands.ts'
import type { RefusalLog } from '../server/refusal-log.ts'
import type { Store } from '../store/store.ts'
import type { MainOffices } from './offices.ts'

/** As often as the main thread sums them up, in milliseconds. */
const REFUSALS_EVERY_MS = 60_000

interface Parts {
  readonly store: Store
  readonly lastAccess: LastAccess
  readonly personalTokens: PersonalTokens
  readonly refusals: RefusalLog
  readonly config: () => Config
  readonly main: Errands<MainOffices>
  readonly log: Logger
}

/** What a thread does now and then about what it alone has seen: the rest is done once, in the main thread. */
export function startThreadChores(parts: Parts): { stop(): Promise<void> } {
  const { store, lastAccess, personalTokens, refusals, config, main, log } = parts
  const queue = new ChoreQueue(log)
  const flush = queue.chore('last access', async () => {
    if (!store.writable) return
    await lastAccess.flush()
    await personalTokens.flush()
  })
  const handOver = queue.chore('refusals', () => main.ask('countRefusals', refusals.take()))
  const timers = [
    setInterval(flush, config().tokens.last_access_flush),
    setInterval(handOver, REFUSALS_EVERY_MS),
  ]
  for (const timer of timers) timer.unref()
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer)
      flush()
      handOver()
      await queue.settle()
    },
  }
}
