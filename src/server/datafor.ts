import { asFailure, type Failure } from '../protocol/failures.ts'
import type { Params } from '../protocol/jsonrpc.ts'
import type { Dispatcher } from './dispatch.ts'
import {
  type Endpoint,
  type EndpointAnswer,
  type EndpointRequest,
  json,
  readFields,
  readJson,
} from './endpoints.ts'
import { begin, end } from './in-flight.ts'

const BASE = '/plugin/datafor-modeler/api/token/'

/** One of Datafor's calls: which row it is, and how its result is told. */
interface Translation {
  readonly verb: 'GET' | 'POST'
  readonly method: string
  readonly params: (request: EndpointRequest) => Params
  readonly told: (result: unknown) => object
}

const whole = (result: unknown) => result as object
const data = (result: unknown) => ({ data: result })
const nothing = () => ({})

const CALLS: Readonly<Record<string, Translation>> = {
  generate: { verb: 'POST', method: 'jwt.issue', params: issueParams, told: whole },
  update: {
    verb: 'POST',
    method: 'jwt.configure',
    params: readFields,
    told: (result) => ({ msg: 'success', ...(result as object) }),
  },
  list: { verb: 'GET', method: 'jwt.list', params: nothing, told: data },
  content: {
    verb: 'GET',
    method: 'jwt.get',
    params: ({ query }) => ({ name: query.get('name') ?? '' }),
    told: whole,
  },
  delete: {
    verb: 'POST',
    method: 'jwt.delete',
    params: (request) => ({ names: [readFields(request).name] }),
    told: nothing,
  },
  deleteBatch: {
    verb: 'POST',
    method: 'jwt.delete',
    params: ({ body }) => ({ names: readJson(body) }),
    told: nothing,
  },
  'personal/config': { verb: 'GET', method: 'jwt.personal.config', params: nothing, told: whole },
  personal: { verb: 'POST', method: 'jwt.personal.issue', params: personalParams, told: whole },
  'personal/list': { verb: 'GET', method: 'jwt.personal.list', params: nothing, told: data },
  'personal/revoke': {
    verb: 'POST',
    method: 'jwt.personal.revoke',
    params: (request) => ({ jti: readFields(request).jti }),
    told: nothing,
  },
}

/** Members that are empty in a form were not filled in. */
function issueParams(request: EndpointRequest): Params {
  const { name, privateKey, username, payload } = readFields(request)
  return present({ name, privateKey, username, payload })
}

function personalParams(request: EndpointRequest): Params {
  const { name, label, expire } = readFields(request)
  const seconds = typeof expire === 'string' && /^\d{1,10}$/.test(expire) ? Number(expire) : expire
  return present({ name, label, expire: seconds })
}

function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  )
}

/** Datafor's token API on its own paths. */
export function dataforEndpoints(dispatcher: Dispatcher): [string, Endpoint][] {
  return Object.entries(CALLS).map(([path, call]) => [
    BASE + path,
    {
      verbs: [call.verb],
      takesBody: call.verb === 'POST',
      refuse: refused,
      answer: (request) => answer(dispatcher, call, request),
    },
  ])
}

async function answer(
  dispatcher: Dispatcher,
  { method, params, told }: Translation,
  request: EndpointRequest,
): Promise<EndpointAnswer> {
  const { origin } = request
  begin(origin.connection, 1)
  try {
    const call = { jsonrpc: '2.0' as const, id: null, method, params: params(request) }
    const outcome = await dispatcher.dispatch(call, origin, undefined)
    if ('failure' in outcome) return refused(outcome.failure)
    return json(200, { success: true, ...told(JSON.parse(outcome.result)) })
  } catch (thrown) {
    return refused(asFailure(thrown))
  } finally {
    end(origin.connection, 1)
  }
}

/** In Datafor's words, where it has any; `code` is a string, and the status the same number. */
function refused({ name, status, data: reason, headers }: Failure): EndpointAnswer {
  const code = name === 'refused_object' ? 404 : status
  const known: Readonly<Record<number, string>> = {
    401: 'not logged in',
    403: 'no permission',
    404: 'not found',
  }
  const msg = known[code] ?? reason ?? 'failed'
  return json(code, { success: false, code: String(code), msg }, headers)
}
