import type { Logger } from 'pino'
import type { RateKeeper } from './auth/buckets.ts'
import type { Operators } from './auth/operators.ts'
import type { Authority } from './authority.ts'
import type { Config } from './config.ts'
import { failureRateOf } from './config-policy.ts'
import type { Method, Services } from './methods/method.ts'
import { CredentialFailures } from './server/credential-failures.ts'
import { dataforEndpoints } from './server/datafor.ts'
import { Dispatcher } from './server/dispatch.ts'
import type { Endpoints } from './server/endpoints.ts'
import { Exchange } from './server/exchange.ts'
import { forwardAuth } from './server/forward-auth.ts'
import type { Gateway } from './server/gateway/gateway.ts'
import { Identification } from './server/identify.ts'
import { metricsEndpoint } from './server/metrics-endpoint.ts'
import { oauthEndpoints } from './server/oauth.ts'
import type { RefusalLog } from './server/refusal-log.ts'
import type { Telemetry } from './server/telemetry.ts'
import { ZabbixDialect } from './server/zabbix.ts'

export interface CallPathParts {
  readonly services: Services &
    Pick<Authority, 'clock' | 'signIn'> & { readonly lateUses: Pick<Authority['lateUses'], 'record'> }
  readonly operators: () => Operators
  readonly config: () => Config
  /** Where credentials that are not valid are counted, if not here. */
  readonly failures: RateKeeper | undefined
  readonly refusals: RefusalLog
  readonly telemetry: Telemetry
  /** Rows of our own. */
  readonly table: readonly Method[]
  readonly gateways: readonly Gateway[]
  readonly log: Logger
}

/** What a call goes through, from its text to its answer. */
export function buildCallPath({
  services,
  operators,
  config,
  failures: keeper,
  refusals,
  telemetry,
  table,
  gateways,
  log,
}: CallPathParts) {
  const { verifier, daemon } = services
  const failures = new CredentialFailures((door) => failureRateOf(config(), door), keeper)
  const warnBefore = () => config().tokens.warn_before
  const identification = new Identification({ ...services, operators, refusals, failures, warnBefore })
  const own = new Map(table.map((row) => [row.name, row]))
  const find = (name: string) => own.get(name) ?? findAmong(gateways, name)
  const dispatcher = new Dispatcher(services, find, identification, telemetry, log)
  const limits = () => config().limits
  const anonymous = () => config().zabbix.anonymous_methods
  const endpoints: Endpoints = new Map([
    ['/auth', forwardAuth({ identification, routes: () => config().route })],
    ['/metrics', metricsEndpoint(dispatcher, identification, daemon.metrics)],
    ...oauthEndpoints(dispatcher),
    ...dataforEndpoints(dispatcher),
  ])
  return {
    limits,
    identification,
    endpoints,
    exchange: new Exchange(dispatcher, limits),
    zabbix: new ZabbixDialect({ dispatcher, identification, verifier, limits, anonymous }),
  }
}

function findAmong(gateways: readonly Gateway[], name: string): Method | undefined {
  for (const gateway of gateways) {
    const row = gateway.find(name)
    if (row !== undefined) return row
  }
  return undefined
}
