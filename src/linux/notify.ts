import { openDatagram, type Send } from './datagram.ts'

type Environment = Record<string, string | undefined>

/** What a service tells its manager (sd_notify(3)). */
export interface ServiceManager {
  /** The doors are open. */
  ready(): void
  stopping(): void
  /** One line for `systemctl status`, and a sign of life. The line is asked for only where somebody reads it. */
  alive(status: () => Promise<string>): Promise<void>
  /** How often a sign of life is due, in milliseconds; undefined: nobody waits for one. */
  readonly watchdogMs: number | undefined
}

const NOBODY: ServiceManager = {
  ready() {},
  stopping() {},
  async alive() {},
  watchdogMs: undefined,
}

/**
 * systemd, where it has started us and waits to hear from us; otherwise somebody who does not listen. The variables are
 * taken out of the environment: a child is not the service.
 */
export function findServiceManager(env: Environment = process.env): ServiceManager {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = env
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name]
  const send = NOTIFY_SOCKET === undefined ? undefined : openDatagram(NOTIFY_SOCKET)
  if (send === undefined) return NOBODY
  const mine = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid
  const watchdogMs = mine && Number(WATCHDOG_USEC) > 0 ? bounded(Number(WATCHDOG_USEC) / 1000) : undefined
  return speakTo(send, watchdogMs)
}

/** A timer holds no more than 2^31-1 ms, and one that never rests would be all that is done. */
function bounded(milliseconds: number): number {
  return Math.min(Math.max(milliseconds, 200), 2 ** 31 - 1)
}

function speakTo(send: Send, watchdogMs: number | undefined): ServiceManager {
  const say = (...lines: string[]) => void send(Buffer.from(lines.join('\n')))
  return {
    watchdogMs,
    ready: () => say('READY=1'),
    stopping: () => say('STOPPING=1'),
    alive: async (status) => say('WATCHDOG=1', `STATUS=${await status()}`),
  }
}
