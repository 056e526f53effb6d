import type { UsePolicy } from './auth/admission.ts'
import type { Peer } from './auth/caller.ts'
import type { Rate } from './auth/limits.ts'
import type { Config } from './config.ts'

/** Some seconds' worth at once: a client that was given a wrong token tries again some times. */
const FAILURE_BURST_SECONDS = 10

/** Where nobody says anything: on the remote door. Who is on this host does not guess. */
const REMOTE_FAILURES_PER_SECOND = 10

/** What the configuration says about the use of every token. */
export function usePolicyOf({ rate: { per_token, burst }, tokens }: Config): UsePolicy {
  return { rate: rateOf(per_token, burst), flush: tokens.last_access_flush }
}

/** How many credentials that are not valid one address may send. */
export function failureRateOf({ rate }: Config, door: Peer['door']): Rate | undefined {
  const fallback = door === 'remote' ? REMOTE_FAILURES_PER_SECOND : undefined
  const perSecond = rate.failures_per_address ?? fallback
  return rateOf(perSecond, Math.max(1, (perSecond ?? 0) * FAILURE_BURST_SECONDS))
}

function rateOf(perSecond: number | undefined, burst: number): Rate | undefined {
  return perSecond === undefined || !Number.isFinite(perSecond) ? undefined : { perSecond, burst }
}
