import type { UsePolicy } from './auth/admission.ts'
import type { Rate } from './auth/limits.ts'
import type { Config } from './config.ts'

/** Some seconds' worth at once: a client that was given a wrong token tries again some times. */
const FAILURE_BURST_SECONDS = 10

/** What the configuration says about the use of every token. */
export function usePolicyOf({ rate: { per_token, burst }, tokens }: Config): UsePolicy {
  const rate = Number.isFinite(per_token) ? { perSecond: per_token, burst } : undefined
  return { rate, flush: tokens.last_access_flush }
}

/** How many credentials that are not valid one address may send. */
export function failureRateOf({ rate: { failures_per_address: perSecond } }: Config): Rate | undefined {
  if (!Number.isFinite(perSecond)) return undefined
  return { perSecond, burst: Math.max(1, perSecond * FAILURE_BURST_SECONDS) }
}
