import { isIP } from 'node:net'
import { plainAddress } from './client-address.ts'

/** Where to listen. */
export type Place = { readonly path: string } | { readonly host: string; readonly port: number }

/** `unix:/path`, `192.0.2.1:8443`, `[2001:db8::1]:8443` (`[::]` is all of IPv4 and IPv6). Undefined: none of them. */
export function parsePlace(text: string): Place | undefined {
  if (text.includes('\0') || text.includes('%')) return undefined
  if (text.startsWith('unix:/')) return { path: text.slice('unix:'.length) }
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? v4
  if (host === undefined || isIP(host) !== (v6 === undefined ? 4 : 6) || Number(port) > 65_535)
    return undefined
  return { host: plainAddress(host), port: Number(port) }
}

/** Whether only this host reaches it. */
export function isOfThisHost(place: Place): boolean {
  return 'path' in place || place.host.startsWith('127.') || place.host === '::1'
}
