import { asFailure, type Failure } from '../protocol/failures.ts'
import type { Dispatcher } from './dispatch.ts'
import type { Endpoint, EndpointAnswer } from './endpoints.ts'
import type { Identification } from './identify.ts'
import { begin, end } from './in-flight.ts'

const TEXT = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }

/** Numbers for Prometheus: for a token whose scopes name system.metrics, and for operators on the Unix socket without one. */
export function metricsEndpoint(
  dispatcher: Dispatcher,
  identification: Identification,
  read: () => Promise<string>,
): Endpoint {
  return {
    verbs: ['GET', 'HEAD'],
    takesBody: false,
    refuse: refused,
    async answer({ origin }) {
      const { connection, authorization } = origin
      begin(connection, 1)
      try {
        if (connection.peer.door === 'unix' && authorization === undefined) {
          identification.vouch(origin)
          return { status: 200, headers: TEXT, body: await read() }
        }
        const call = { jsonrpc: '2.0' as const, id: null, method: 'system.metrics', params: {} }
        const outcome = await dispatcher.dispatch(call, origin, undefined)
        if ('failure' in outcome) return refused(outcome.failure)
        return { status: 200, headers: TEXT, body: JSON.parse(outcome.result) as string }
      } catch (thrown) {
        return refused(asFailure(thrown))
      } finally {
        end(connection, 1)
      }
    },
  }
}

function refused({ status, data, headers }: Failure): EndpointAnswer {
  return { status, headers: { 'Content-Type': 'text/plain', ...headers }, body: `${data ?? 'failed'}\n` }
}
