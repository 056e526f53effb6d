import { object, shape } from '../protocol/schema.ts'
import { type ClockReset, method, type Reloaded, type Vouching } from './method.ts'
import { describeApi, type OpenRpcDocument } from './openrpc.ts'

export interface SystemInfo {
  name: 'postern'
  version: string
  uptime: number
  /** Where there are several. */
  workers?: number
  store: { backend: string; writable: boolean }
  local: Vouching
  counts: { users: number; tokens: number; tokens_complete: boolean; connections: number }
}

export const systemInfo = method({
  name: 'system.info',
  summary: 'Version, uptime, store and counts.',
  access: 'user',
  effect: 'read',
  params: object({}),
  result: shape<SystemInfo>({
    type: 'object',
    properties: {
      name: { const: 'postern' },
      version: { type: 'string' },
      uptime: { type: 'number', description: 'Seconds.' },
      workers: { type: 'integer', description: 'Threads that serve the doors, where there are several.' },
      store: { type: 'object', properties: { backend: { type: 'string' }, writable: { type: 'boolean' } } },
      local: {
        type: 'object',
        description: 'What tells who is local, on each door.',
        properties: {
          unix: { enum: ['kernel', 'file mode'] },
          tcp: { enum: ['kernel', 'nobody', 'closed'] },
        },
      },
      counts: {
        type: 'object',
        properties: {
          users: { type: 'integer' },
          tokens: {
            type: 'integer',
            description: 'Stored tokens, ended ones that are not swept yet included.',
          },
          tokens_complete: {
            type: 'boolean',
            description: 'False: there are more; counting stops at 100,000.',
          },
          connections: { type: 'integer', description: 'Open now, on all doors.' },
        },
      },
    },
  }),
  async handler(_params, _caller, { daemon, users, tokens }) {
    const { count, complete } = await tokens.count()
    return {
      name: 'postern',
      version: daemon.version,
      uptime: daemon.uptime(),
      ...(daemon.workers > 1 && { workers: daemon.workers }),
      store: { backend: daemon.backend, writable: daemon.writable() },
      local: daemon.vouching(),
      counts: {
        users: users.count,
        tokens: count,
        tokens_complete: complete,
        connections: daemon.connections(),
      },
    }
  },
})

export const systemMetrics = method({
  name: 'system.metrics',
  summary: 'The daemon in numbers, in the text format of Prometheus; GET /metrics gives the same.',
  access: 'user',
  effect: 'read',
  params: object({}),
  result: shape<string>({ type: 'string' }),
  handler: (_params, _caller, { daemon }) => daemon.metrics(),
})

export const systemReload = method({
  name: 'system.reload',
  summary: 'Read the configuration and the certificates again, as SIGHUP does. Answers when it is done.',
  access: 'superadmin',
  effect: 'write',
  params: object({}),
  result: shape<Reloaded>({
    type: 'object',
    properties: {
      reloaded: { type: 'array', items: { type: 'string' }, description: 'What was changed.' },
      need_restart: { type: 'array', items: { type: 'string' }, description: 'What a restart will change.' },
    },
  }),
  handler: (_params, caller, { daemon }) => daemon.reload(caller),
})

export const clockReset = method({
  name: 'clock.reset',
  summary: 'Believe the wall clock from now on. After a clock that was far ahead had been believed for good.',
  access: 'superadmin',
  effect: 'write',
  params: object({}),
  result: shape<ClockReset>({
    type: 'object',
    properties: {
      before: { type: 'integer', description: 'What was believed until now, in milliseconds since 1970.' },
      now: { type: 'integer' },
    },
  }),
  handler: (_params, caller, { daemon }) => daemon.resetClock(caller),
})

export const rpcDiscover = method({
  name: 'rpc.discover',
  summary: 'What may be asked here: an OpenRPC 1.3 document drawn from the table of methods.',
  access: 'user',
  effect: 'read',
  params: object({}),
  result: shape<OpenRpcDocument>({ type: 'object', description: 'https://spec.open-rpc.org' }),
  handler: (_params, _caller, { methods, daemon }) => describeApi(methods, daemon.version),
})
