import type { Logger } from 'pino'
import type { Auditor } from './auth/auditor.ts'
import type { Endings } from './auth/endings.ts'
import type { PersonalTokens } from './auth/jwt/personal-tokens.ts'
import type { LastAccess } from './auth/last-access.ts'
import type { Ledger } from './auth/ledger.ts'
import { DAEMON } from './auth/records.ts'
import { Sweeper } from './auth/sweeper.ts'
import type { UserObjects } from './auth/user-objects.ts'
import { ChoreQueue } from './chore-queue.ts'
import type { Config } from './config.ts'
import { EndingAnnouncer, Notifications } from './notification.ts'
import type { RefusalLog } from './server/refusal-log.ts'
import type { Clock } from './store/clock.ts'
import type { Store } from './store/store.ts'

const EVERY_MS = 60_000
/** Behind the first calls, which wait for the start already. */
const FIRST_SWEEP_MS = 2_000
/** How late it may be told that a token has ended, or will. */
const ENDINGS_EVERY_MS = 1_000
const RESTED_EVERY_MS = 5_000

export interface ChoreParts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  readonly lastAccess: LastAccess
  readonly userObjects: UserObjects
  readonly auditor: Auditor
  readonly refusals: RefusalLog
  readonly log: Logger
  readonly endings: Endings
  readonly personalTokens: PersonalTokens
  readonly config: () => Config
}

/**
 * What is done now and then: writing last access and the clock's mark, sweeping, signing and cutting the audit log, and
 * summing up refusals. A chore that fails is tried again.
 */
export function startChores(parts: ChoreParts): { stop(): Promise<void> } {
  const {
    store,
    ledger,
    clock,
    lastAccess,
    userObjects,
    auditor,
    refusals,
    endings,
    personalTokens,
    log,
    config,
  } = parts
  const notifications = new Notifications(log)
  const announcer = new EndingAnnouncer(endings, notifications)
  const sweeper = new Sweeper(store, ledger, clock)
  const stopping = new AbortController()
  const queue = new ChoreQueue(log)
  // While others are served these two take seconds, and minutes, for which no other chore can wait.
  const flushing = new ChoreQueue(log)
  const sweeping = new ChoreQueue(log)
  const chore = (name: string, work: () => Promise<unknown>, among = queue) =>
    among.chore(name, work, () => store.writable)
  const flushNow = async () => {
    await lastAccess.flush()
    await personalTokens.flush()
  }
  const flush = chore('last access', flushNow, flushing)
  const sweepNow = async () => {
    await sweeper.sweep(config().tokens.retain_expired, stopping.signal)
    await personalTokens.sweep()
  }
  const sweep = chore('sweep', sweepNow, sweeping)
  const mark = chore('clock', () => ledger.markTime())
  const sumUp = chore('refusals', () => recordRefusals(refusals, ledger))
  const audit = chore('audit', async () => {
    await auditor.sign()
    const { retain } = config().audit
    if (retain > 0) await auditor.cut(retain, stopping.signal)
  })
  const expired = chore('expired tokens', () => endings.tellExpired())
  const rested = chore('rested tokens', () => endings.tellRested())
  const ending = chore('ending tokens', () => announcer.look(config().notify))
  const timers = [setInterval(flush, config().tokens.last_access_flush)]
  for (const work of [sweep, mark, sumUp, audit]) timers.push(setInterval(work, EVERY_MS))
  for (const work of [expired, ending]) timers.push(setInterval(work, ENDINGS_EVERY_MS))
  timers.push(setInterval(rested, RESTED_EVERY_MS))
  for (const timer of timers) timer.unref()
  chore('tidy', () => userObjects.tidyDeleted())()
  timers.push(setTimeout(sweep, FIRST_SWEEP_MS).unref()) // what ended while nobody was running
  return {
    async stop() {
      stopping.abort()
      for (const timer of timers) clearInterval(timer)
      flush()
      mark()
      sumUp()
      chore('audit', () => auditor.sign({ now: true }))()
      await Promise.all([queue, flushing, sweeping].map((one) => one.settle()))
      await notifications.stop()
    },
  }
}

/** One line, however many there were: strangers cannot fill the disk (pitfall 27). */
async function recordRefusals(refusals: RefusalLog, ledger: Ledger): Promise<void> {
  const counts = refusals.take()
  if (Object.keys(counts).length === 0) return
  await ledger.commit({ steps: [], audit: [{ event: 'refusals', by: DAEMON, ...counts }] })
}
