import type { IncomingHttpHeaders } from 'node:http'
import type { Peer } from '../auth/caller.ts'

/** Headers by which a relay admits that somebody else is asking. None of them is ever believed; any of them disqualifies. */
const FORWARDING = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'cf-connecting-ip',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'forwarded-for',
  'fastly-client-ip',
  'cdn-loop',
  'x-envoy-external-address',
  'x-proxyuser-ip',
])
const FORWARDING_PREFIXES = ['x-forwarded', 'x-original-']

/** What a request said that bears on who sent it. */
export interface Claims {
  readonly headers: IncomingHttpHeaders
  /** The authority of an absolute-form target (RFC 9112 section 3.2.2), where there is one. */
  readonly authority: string | undefined
  /** The port it came in on. */
  readonly port: number | undefined
}

/**
 * Why a request does not come from this host itself; undefined: it does, and who sent it is for the kernel to say. On the
 * Unix socket any Host will do, for no browser reaches it; on TCP nothing may hint at a browser (pitfalls 2 and 3) or at
 * another name than loopback's; on the remote door nobody is local. `claims` are absent where there is no HTTP.
 */
export function whyNotLocal({ door }: Peer, claims: Claims | undefined): string | undefined {
  if (door === 'remote') return 'this door is for remote callers'
  if (door === 'unix') return claims && forwarded(claims)
  if (claims === undefined) return 'no HTTP request'
  return forwarded(claims) ?? foreignName(claims) ?? browser(claims)
}

function forwarded({ headers }: Claims): string | undefined {
  for (const written of Object.keys(headers)) {
    const name = written.replaceAll('_', '-') // some servers take them for the same
    if (FORWARDING.has(name) || FORWARDING_PREFIXES.some((prefix) => name.startsWith(prefix))) {
      return `the request was forwarded (${name})`
    }
  }
  return undefined
}

// A page in somebody's browser can make its own name resolve to 127.0.0.1, but then that name is in Host.
function foreignName({ headers, authority, port }: Claims): string | undefined {
  if (!isLoopbackName(headers.host, port)) return 'Host is not a loopback name with our port'
  if (authority !== undefined && !isLoopbackName(authority, port))
    return 'the target is not a loopback name with our port'
  return undefined
}

function isLoopbackName(host: string | undefined, port: number | undefined): boolean {
  const lower = host?.toLowerCase()
  return ['localhost', '127.0.0.1', '[::1]'].some(
    (name) => lower === `${name}:${port}` || (port === 80 && lower === name),
  )
}

// A page can reach localhost too, but it cannot hide where it comes from.
function browser({ headers }: Claims): string | undefined {
  for (const name of Object.keys(headers)) {
    const tells =
      name === 'origin' ||
      name === 'referer' ||
      name === 'sec-fetch-mode' ||
      name.startsWith('access-control-request-') ||
      (name === 'sec-fetch-site' && headers[name] !== 'none')
    if (tells) return `the request comes from a browser (${name})`
  }
  return undefined
}
