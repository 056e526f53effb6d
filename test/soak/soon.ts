import { setTimeout as pause } from 'node:timers/promises'

/** Until what must come comes, in milliseconds: a bound, not a measurement. */
const PATIENCE_MS = 20_000

/** Waits for what must come; without this, somebody would wait for good for an answer that does not. */
export async function soon<T>(what: string, work: Promise<T>): Promise<T> {
  const stop = new AbortController()
  const late = pause(PATIENCE_MS, undefined, { signal: stop.signal }).then(
    () => Promise.reject(new Error(`did not come about: ${what}`)),
    () => undefined as never,
  )
  try {
    return await Promise.race([work, late])
  } finally {
    stop.abort()
  }
}
