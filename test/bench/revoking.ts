import { setTimeout } from 'node:timers/promises'
import type { Daemon } from '../support/daemon.ts'
import { call, mint } from '../support/talk.ts'
import type { Ask } from './doors.ts'

/** Calls at each door at a time, where its way of asking takes more than one. */
const AT_ONCE = 2
/** Calls at each door that have to begin after the acknowledgement. */
const AFTERWARDS = 5
const BEFORE_MS = 30

export interface Gate {
  readonly daemon: Daemon
  /** A token that may revoke others. */
  readonly admin: string
  readonly doors: Readonly<Record<string, Ask>>
}

/** What the calls at one door have shown. */
export class Watch {
  /** From the acknowledgement to the end of the first call after it that was refused, in milliseconds. */
  refusedAfter: number | undefined
  accepted = 0
  begunAfterwards = 0
}

/** Calls go on at every door, before, while and after the token is revoked. */
export async function revokeUnderWatch(gate: Gate): Promise<Map<string, Watch>> {
  const token = await mint(gate.daemon)
  const watches = new Map<string, Watch>()
  let acknowledged = Number.POSITIVE_INFINITY
  const calling = Object.entries(gate.doors).flatMap(([name, ask]) => {
    const watch = new Watch()
    watches.set(name, watch)
    return Array.from({ length: name === 'WebSocket' || name === 'newline JSON' ? 1 : AT_ONCE }, async () => {
      while (watch.begunAfterwards < AFTERWARDS) {
        const begun = performance.now()
        const accepted = await ask(token)
        if (begun < acknowledged) continue
        watch.begunAfterwards++
        if (accepted) watch.accepted++
        else watch.refusedAfter ??= performance.now() - acknowledged
      }
    })
  })
  await setTimeout(BEFORE_MS)
  acknowledged = await revoke(gate, token)
  await Promise.all(calling)
  return watches
}

/** Returns when it was acknowledged. */
export async function revoke({ daemon, admin }: Gate, token: string): Promise<number> {
  const { json } = await call(daemon, 'Auth.RevokeApiToken', { token }, { token: admin })
  const now = performance.now()
  if (json.error !== undefined) throw new Error(JSON.stringify(json.error))
  return now
}
