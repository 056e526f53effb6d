import { AddressRanges } from './auth/ranges.ts'
import { isScope, MOST_SCOPES } from './auth/scopes.ts'
import { isMethodName } from './server/gateway/catalogue.ts'
import type { UpstreamCredential } from './server/gateway/credential.ts'
import { parseUpstream } from './server/gateway/place.ts'
import { parsePlace } from './server/place.ts'
import { isRoutePath } from './server/routes.ts'
import * as settings from './settings.ts'

const reloads = { reloads: true }

/** Every key of the configuration with its default. Where a place depends on who starts the daemon, the default is empty here. */
export const SCHEMA = {
  listen: {
    socket: settings.path(''),
    socket_mode: settings.fileMode(0o660),
    socket_group: settings.optionalName(undefined),
    port: settings.port(8377),
    loopback_mint: settings.flag(true, reloads),
    workers: settings.workers(1),
  },
  limits: {
    body: settings.size(1024 ** 2, reloads),
    depth: settings.count(64, reloads),
    batch: settings.count(1000, reloads),
    headers: settings.size(16 * 1024),
    connections: settings.count(10_000, reloads),
    connections_per_address: settings.count(256, reloads),
    in_flight: settings.count(256, reloads),
    header_timeout: settings.timeLimit(10_000),
    body_timeout: settings.timeLimit(30_000),
    idle: settings.timeLimit(120_000),
    frame: settings.size(1024 ** 2),
  },
  tokens: {
    retain_expired: settings.duration(7 * 86_400_000, reloads),
    last_access_flush: settings.timeLimit(5_000),
    cache: settings.count(100_000),
    warn_before: settings.duration(3 * 86_400_000, reloads),
  },
  audit: {
    retain: settings.duration(0, reloads),
  },
  rate: {
    per_token: settings.rate(undefined, reloads),
    burst: settings.count(200, reloads),
    failures_per_address: settings.rate(undefined, reloads),
  },
  zabbix: {
    anonymous_methods: settings.names(['apiinfo.version', 'user.checkAuthentication'], reloads),
  },
} satisfies settings.Schema

const scopes = settings.kind<readonly string[]>('a list of methods, "namespace.*" or "*"', (value) =>
  Array.isArray(value) && value.length <= MOST_SCOPES && value.every(isScope) ? value : undefined,
)

const place = settings.kind<string>(
  'an address with a port ("0.0.0.0:8443", "[::]:8443") or "unix:/path"',
  (value) => (typeof value === 'string' && parsePlace(value) !== undefined ? value : undefined),
)

const proxies = settings.kind<readonly string[]>(
  'a list of addresses, ranges ("10.0.0.0/8") or "unix"',
  (value) => {
    if (!Array.isArray(value) || !value.every((range) => typeof range === 'string')) return undefined
    try {
      new AddressRanges(value)
      return value
    } catch {
      return undefined
    }
  },
)

/** The keys of an `[[operators]]`. Whom it is about is one of the first four. */
export const OPERATOR_KEYS = {
  user: settings.optionalName(undefined),
  uid: settings.optionalNumber(undefined),
  group: settings.optionalName(undefined),
  gid: settings.optionalNumber(undefined),
  userid: settings.optionalId(undefined),
  max_ttl: settings.optionalTimeLimit(undefined),
  scopes: scopes(['*']),
}

const command = settings.kind<readonly string[]>('a list: a program and its arguments', (value) =>
  Array.isArray(value) &&
  value.every((word) => typeof word === 'string' && !word.includes('\0')) &&
  value[0] !== ''
    ? value
    : undefined,
)

/** The keys of a `[[notify]]`. */
export const NOTIFY_KEYS = {
  before: settings.optionalTimeLimit(undefined),
  command: command([]),
}

const routePath = settings.kind<string>(
  'a path of plain segments ("/files/list"), with a star at most as the last one ("/files/*")',
  (value) => (typeof value === 'string' && isRoutePath(value) ? value : undefined),
)

const scope = settings.kind<string>('a scope ("files.read")', (value) => (isScope(value) ? value : undefined))

/** The keys of a `[[route]]`. */
export const ROUTE_KEYS = {
  method: settings.optionalName(undefined),
  path: routePath(''),
  scope: scope(''),
}

const upstreamPlace = settings.kind<string>(
  'where a service is: http(s)://, ws(s)://, unix+http:/path, tcp:host:port, unix:/path or exec:/program, without a credential in it',
  (value) => (typeof value === 'string' && parseUpstream(value) !== undefined ? value : undefined),
  { isPrivate: true },
)

const namespace = settings.kind<string>(
  'what names of methods begin with, with a dot at its end ("aria2.")',
  (value) => (typeof value === 'string' && value.endsWith('.') && isScope(`${value}*`) ? value : undefined),
)

const methodList = settings.kind<'discover' | readonly string[]>(
  '"discover", or a list of methods',
  (value) =>
    value === 'discover' || (Array.isArray(value) && value.every(isMethodName)) ? value : undefined,
)

const KINDS = ['header', 'basic', 'param', 'cookie-file', 'jwt-hs256']

const upstreamCredential = settings.kind<UpstreamCredential | undefined>(
  `a table: kind (${KINDS.join(', ')}), file, and for a header its name`,
  (value) => {
    const { kind, file, name, ...rest } = (value ?? {}) as Record<string, unknown>
    const isText = typeof file === 'string' && (name === undefined || isHeaderName(name))
    const isKnown = KINDS.includes(kind as string) && Object.keys(rest).length === 0
    return isText && isKnown ? (value as UpstreamCredential) : undefined
  },
  { isPrivate: true },
)

/** RFC 9110 section 5.6.2. */
function isHeaderName(value: unknown): value is string {
  return typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value)
}

/** The keys of an `[[upstream]]`. */
export const UPSTREAM_KEYS = {
  name: settings.optionalName(undefined),
  namespace: namespace(''),
  strip: settings.flag(false),
  url: upstreamPlace(''),
  credential: upstreamCredential(undefined),
  methods: methodList('discover'),
  allow_unlisted: settings.flag(false),
  timeout: settings.timeLimit(10_000),
  concurrency: settings.count(32),
}

/** The keys of a `[[remote]]`. */
export const REMOTE_KEYS = {
  listen: place(''),
  cert: settings.optionalName(undefined),
  key: settings.optionalName(undefined),
  trusted_proxies: proxies([]),
  socket_mode: settings.fileMode(0o666),
  socket_group: settings.optionalName(undefined),
}

export type OperatorValues = settings.RowOf<typeof OPERATOR_KEYS>
export type NotifyValues = settings.RowOf<typeof NOTIFY_KEYS>
export type RouteValues = settings.RowOf<typeof ROUTE_KEYS>
export type UpstreamValues = settings.RowOf<typeof UPSTREAM_KEYS>
export type RemoteValues = settings.RowOf<typeof REMOTE_KEYS>

export type Values = settings.ValuesOf<typeof SCHEMA>
