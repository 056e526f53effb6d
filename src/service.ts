import type { Logger } from 'pino'
import type { ServiceManager } from './linux/notify.ts'

/** What the service manager is told about. */
export interface Tended {
  /** One line. */
  status(): Promise<string>
  /** Rejects when the daemon cannot do its work: read its store. */
  check(): Promise<void>
}

/** Without a watchdog the status is still told, so often (in milliseconds). */
const STATUS_EVERY_MS = 30_000

/**
 * Tells the service manager that the doors are open, and from then on how it goes. The watchdog is fed only after the
 * check has passed, and by a timer of the event loop that serves everybody: when that hangs, or the store cannot be read,
 * it starves, and systemd starts us anew. Returns what ends it.
 */
export function tend(manager: ServiceManager, tended: Tended, log: Logger): () => void {
  const feed = async () => {
    try {
      await tended.check()
      await manager.alive(() => tended.status())
    } catch (err) {
      log.error({ err }, 'the store cannot be read; the watchdog is not fed')
    }
  }
  manager.ready() // at once: the status counts what is stored, which takes a while, and whoever waits for us needs no count
  void feed()
  const timer = setInterval(
    () => void feed(),
    manager.watchdogMs === undefined ? STATUS_EVERY_MS : manager.watchdogMs / 2,
  )
  timer.unref()
  return () => clearInterval(timer)
}
