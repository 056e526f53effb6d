import { AddressRanges } from './ranges.ts'
import { contains } from './scopes.ts'

/** What bounds the use of a token beside its scopes and its expiry. What is left out is no bound. */
export interface TokenLimits {
  /** Milliseconds since 1970: the first instant at which it is accepted. */
  readonly notBefore?: number
  /** Calls, in all its life. */
  readonly maxUses?: number
  /** Milliseconds without a use after which it is dead. */
  readonly idleTtl?: number
  /** Addresses, ranges, `unix`. */
  readonly allowedIps?: readonly string[]
  readonly rate?: Rate
}

/** A bucket of `burst` calls that fills again by so many a second. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** What holds where there are two rates. */
export function narrower(one: Rate | undefined, other: Rate | undefined): Rate | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return { perSecond: Math.min(one.perSecond, other.perSecond), burst: Math.min(one.burst, other.burst) }
}

/** What of a token another one may have to stay within. */
export interface Rights {
  readonly scopes: readonly string[]
  /** Milliseconds since 1970; null: never. */
  readonly expires: number | null
  readonly limits?: TokenLimits
}

/**
 * Why a token that may make, change or generate another one may not have it so; undefined: it may. The one function that
 * keeps a child within its parent (pitfall 24). `remaining`: uses that the parent has left.
 */
export function excess(parent: Rights, remaining: number | undefined, child: Rights): string | undefined {
  const [own, wanted] = [parent.limits ?? {}, child.limits ?? {}]
  if (!contains(parent.scopes, child.scopes)) return 'scopes'
  if (exceeds(parent.expires, child.expires)) return 'expiry'
  if (exceeds(remaining, wanted.maxUses)) return 'max_uses'
  if (exceeds(own.idleTtl, wanted.idleTtl)) return 'idle_ttl'
  if (exceeds(own.rate?.perSecond, wanted.rate?.perSecond) || exceeds(own.rate?.burst, wanted.rate?.burst))
    return 'rate_limit'
  if (own.allowedIps === undefined) return undefined
  const addresses = wanted.allowedIps
  const within =
    addresses !== undefined && new AddressRanges(own.allowedIps).contains(new AddressRanges(addresses))
  return within ? undefined : 'allowed_ips'
}

/** No bound is more than any. */
function exceeds(own: number | null | undefined, wanted: number | null | undefined): boolean {
  if (own === null || own === undefined) return false
  return wanted === null || wanted === undefined || wanted > own
}

/** What a call says about a token's bounds. Seconds; null takes a bound away. */
export interface LimitParams {
  scopes?: string[]
  max_uses?: number | null
  idle_ttl?: number | null
  allowed_ips?: string[] | null
  rate_limit?: { per_second: number; burst?: number } | null
  not_before?: number | null
  metadata?: Record<string, unknown> | null
}

const UNBOUND: TokenLimits = {}

/** The bounds that a call asks for, over those that there are. */
export function limitsFrom(params: LimitParams, before: TokenLimits = UNBOUND): TokenLimits | undefined {
  const { max_uses, idle_ttl, allowed_ips, rate_limit, not_before } = params
  // What most mints ask for.
  if (before === UNBOUND && (max_uses ?? idle_ttl ?? allowed_ips ?? rate_limit ?? not_before) === undefined)
    return undefined
  const rate = rate_limit && {
    perSecond: rate_limit.per_second,
    burst: rate_limit.burst ?? rate_limit.per_second,
  }
  const merged = {
    notBefore: chosen(not_before && not_before * 1000, before.notBefore),
    maxUses: chosen(max_uses, before.maxUses),
    idleTtl: chosen(idle_ttl && idle_ttl * 1000, before.idleTtl),
    allowedIps: chosen(allowed_ips, before.allowedIps),
    rate: chosen(rate, before.rate),
  }
  const entries = Object.entries(merged).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** What is said wins; null takes away; silence leaves as it is. */
function chosen<T>(said: T | null | undefined, before: T | undefined): T | undefined {
  return said === undefined ? before : (said ?? undefined)
}

/** What a child has where nothing else is said: its parent's bounds, and of its uses what is left. */
export function inherited({ limits = {} }: Rights, remaining: number | undefined): TokenLimits {
  const { notBefore: _, maxUses: __, ...lasting } = limits
  return { ...lasting, ...(remaining !== undefined && { maxUses: remaining }) }
}
