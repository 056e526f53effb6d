import {
  NOTIFY_KEYS,
  type NotifyValues,
  OPERATOR_KEYS,
  type OperatorValues,
  REMOTE_KEYS,
  type RemoteValues,
  ROUTE_KEYS,
  type RouteValues,
  UPSTREAM_KEYS,
  type UpstreamValues,
} from './config-schema.ts'
import { Complaint } from './protocol/complaint.ts'
import type { UpstreamRule } from './server/gateway/gateway.ts'
import { parseUpstream } from './server/gateway/place.ts'
import { isOfThisHost, parsePlace } from './server/place.ts'
import * as settings from './settings.ts'

/** Before the end of a token, so many milliseconds, an event is logged and a command, if there is one, is run. */
export interface Notify extends NotifyValues {
  readonly before: number
}

/** What the configuration has several of: `[[operators]]`, `[[remote]]`, `[[notify]]` and `[[route]]`, in the order of the file. */
export interface Tables {
  readonly operators: readonly OperatorValues[]
  readonly remote: readonly RemoteValues[]
  readonly notify: readonly Notify[]
  readonly route: readonly RouteValues[]
  readonly upstream: readonly UpstreamRule[]
}

export const TABLE_NAMES: readonly (keyof Tables)[] = ['operators', 'remote', 'notify', 'route', 'upstream']

/** Only the file has tables. Throws Complaint, which names the table by its number and the key. */
export function readTables(content: Readonly<Record<string, unknown>>, file: string): Tables {
  const operators = rows(content, 'operators', file).map((row, at) => {
    const where = `${file}: operators[${at}]`
    const values = readRow<OperatorValues>(row, OPERATOR_KEYS, where)
    refuseUnclearOperator(values, where)
    return values
  })
  const remote = rows(content, 'remote', file).map((row, at) => {
    const where = `${file}: remote[${at}]`
    const values = readRow<RemoteValues>(row, REMOTE_KEYS, where)
    refuseOpenRemote(values, where)
    return values
  })
  const places = remote.map(({ listen }) => listen)
  const twice = places.find((place, at) => places.indexOf(place) !== at)
  if (twice !== undefined) throw new Complaint(`${file}: two [[remote]] listen on ${twice}`)
  const notify = rows(content, 'notify', file).map((row, at) => {
    const where = `${file}: notify[${at}]`
    return withSpan(readRow<NotifyValues>(row, NOTIFY_KEYS, where), where)
  })
  const span = notify.find(({ before }, at) => notify.findIndex((other) => other.before === before) !== at)
  if (span !== undefined) throw new Complaint(`${file}: two [[notify]] have the same before`)
  const route = rows(content, 'route', file).map((row, at) => {
    const where = `${file}: route[${at}]`
    return refuseUnclearRoute(readRow<RouteValues>(row, ROUTE_KEYS, where), where)
  })
  const upstream = rows(content, 'upstream', file).map((row, at) => {
    const where = `${file}: upstream[${at}]`
    return settleUpstream(readRow<UpstreamValues>(row, UPSTREAM_KEYS, where), where)
  })
  refuseSharedNames(upstream, file)
  return { operators, remote, notify, route, upstream }
}

function rows(content: Readonly<Record<string, unknown>>, name: keyof Tables, file: string): object[] {
  const value = content[name] ?? []
  if (Array.isArray(value) && value.every((row) => typeof row === 'object' && row !== null)) return value
  throw new Complaint(`${file}: there can be several ${name}`, `write [[${name}]], with its keys below`)
}

function readRow<T>(
  row: object,
  keys: Readonly<Record<string, settings.Setting<unknown>>>,
  where: string,
): T {
  for (const key of Object.keys(row)) {
    if (!Object.hasOwn(keys, key)) throw settings.unknownName('key', key, Object.keys(keys), where)
  }
  const given = row as Readonly<Record<string, unknown>>
  const values = Object.entries(keys).map(([key, { fallback, parse, expects, isPrivate }]) => {
    if (given[key] === undefined) return [key, fallback]
    const value = parse(given[key])
    if (value !== undefined) return [key, value]
    const shown = isPrivate ? '[not shown]' : JSON.stringify(given[key])
    throw new Complaint(`${where}: ${key} is ${shown}, which is not ${expects}`)
  })
  return Object.fromEntries(values)
}

function refuseUnclearOperator({ user, uid, group, gid }: OperatorValues, where: string): void {
  const about = [user, uid, group, gid].filter((value) => value !== undefined)
  if (about.length === 1) return
  throw new Complaint(`${where}: whom is it about?`, 'name exactly one of user, uid, group and gid')
}

function withSpan({ before, command }: NotifyValues, where: string): Notify {
  if (before !== undefined) return { before, command }
  throw new Complaint(`${where}: how long before the end of a token?`, 'write before = "3d", say')
}

function refuseUnclearRoute(route: RouteValues, where: string): RouteValues {
  if (route.path !== '' && route.scope !== '') return route
  throw new Complaint(
    `${where}: a route has a path and a scope`,
    'write path = "/files/*" and scope = "files.read", say',
  )
}

function settleUpstream({ name, url, ...values }: UpstreamValues, where: string): UpstreamRule {
  if (name === undefined || url === '' || values.namespace === '')
    throw new Complaint(`${where}: an upstream has a name, a namespace and a url`)
  const { credential, methods, namespace, strip } = values
  const isWeb = ['http', 'ws'].includes(parseUpstream(url)?.kind ?? '')
  if (credential !== undefined && credential.kind !== 'param' && !isWeb)
    throw new Complaint(
      `${where}: there are no headers on ${url}, so no ${credential.kind}`,
      'use kind = "param"',
    )
  const foreign =
    methods === 'discover' || strip ? undefined : methods.find((one) => !one.startsWith(namespace))
  if (foreign !== undefined)
    throw new Complaint(
      `${where}: ${foreign} is not in the namespace ${namespace}`,
      'name it there, or set strip = true',
    )
  return { ...values, name, url }
}

function refuseSharedNames(upstreams: readonly UpstreamRule[], file: string): void {
  for (const [at, one] of upstreams.entries()) {
    for (const other of upstreams.slice(at + 1)) {
      const overlap = one.namespace.startsWith(other.namespace) || other.namespace.startsWith(one.namespace)
      if (overlap || one.name === other.name)
        throw new Complaint(`${file}: ${one.name} and ${other.name} share a name or a namespace`)
    }
  }
}

/** Tokens over the network without TLS would be everybody's. */
function refuseOpenRemote({ listen, cert, key }: RemoteValues, where: string): void {
  const place = parsePlace(listen)
  if (place === undefined)
    throw new Complaint(`${where}: listen is missing`, 'write listen = "0.0.0.0:8443", say')
  if ((cert === undefined) !== (key === undefined))
    throw new Complaint(`${where}: TLS takes a certificate and its key`, 'name both, cert and key')
  if (cert !== undefined && 'path' in place) throw new Complaint(`${where}: there is no TLS on a Unix socket`)
  if (cert !== undefined || isOfThisHost(place)) return
  throw new Complaint(
    `${where}: ${listen} can be reached from elsewhere, and without TLS everybody on the way could read the tokens`,
    'name cert and key, or listen on 127.0.0.1 or unix:/path for a reverse proxy that has them',
  )
}
