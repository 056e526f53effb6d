import type { IncomingMessage } from 'node:http'
import { Failure } from '../protocol/failures.ts'
import { clientAddress } from './client-address.ts'
import type { Connection, Origin } from './origin.ts'
import type { Target } from './target.ts'

const MEDIA_TYPES = new Set(['application/json', 'application/json-rpc', 'application/jsonrequest'])
const CHARSET = /;[ \t]*charset[ \t]*=[ \t]*"?([^\s;"]*)/i

/** RFC 9112 section 3.2: exactly one Host in HTTP/1.1. With joined duplicates a second one shows as a comma. */
export function refuseBadHost(req: IncomingMessage): void {
  if (req.httpVersionMajor !== 1) throw new Failure('invalid_request', 'Only HTTP/1 is spoken here.')
  const { host } = req.headers
  if (host === undefined ? req.httpVersion === '1.1' : host.includes(',')) {
    throw new Failure('invalid_request', 'A request has exactly one Host.')
  }
}

/** Only JSON, as itself: no page can send that elsewhere without a preflight, and none is granted (pitfall 3). */
export function refuseContent({ headers }: IncomingMessage): void {
  const type = headers['content-type'] ?? ''
  if (type !== 'application/json' && !isJson(type)) {
    throw new Failure('invalid_request', 'Send "Content-Type: application/json", in UTF-8.', {
      http: 'content_type',
    })
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new Failure('invalid_request', 'Send the body as it is, without a Content-Encoding.', {
      http: 'content_type',
    })
  }
}

function isJson(type: string): boolean {
  const [media = ''] = type.split(';')
  const [, charset = 'utf-8'] = CHARSET.exec(type) ?? []
  return (
    MEDIA_TYPES.has(media.trim().toLowerCase()) && charset.toLowerCase() === 'utf-8' && !type.includes(',')
  )
}

/** Zabbix's three content types, to the letter; what follows the first semicolon is not looked at. */
export function isZabbixContent({ headers }: IncomingMessage): boolean {
  return MEDIA_TYPES.has((headers['content-type'] ?? '').split(';')[0] as string)
}

/** Who sent a request, and with what. `tokenOverrides`: see Origin. Throws `invalid_request` for two Authorization headers, or two stories about the client's address. */
export function originOf(
  req: IncomingMessage,
  target: Target,
  connection: Connection,
  tokenOverrides: boolean,
): Origin {
  const { authorization } = req.headers
  if (authorization?.includes(',') && hasTwoAuthorizations(req)) {
    throw new Failure('invalid_request', 'Send one Authorization header.')
  }
  const claims = { headers: req.headers, authority: target.authority, port: req.socket.localPort }
  const { peer, proxies } = connection
  const address = proxies === undefined ? peer.address : clientAddress(peer.address, req.headers, proxies())
  return { connection, authorization, tokenOverrides, claims, address }
}

function hasTwoAuthorizations({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === 'authorization').length > 1
}
