import { METHODS } from '../../src/methods/index.ts'
import { ZABBIX_METHODS } from '../../src/methods/zabbix.ts'
import type { Question } from './ways.ts'

/** Secrets to bring along: `caller` and `jwt` may do anything, `shown` goes where none belongs, `dead` was revoked. */
export interface Secrets {
  readonly caller: string
  readonly shown: string
  readonly dead: string
  readonly jwt: string
  /** Neither a token nor like one. */
  readonly password: string
}

export interface Carrier {
  readonly message: { readonly method: string; readonly params: unknown }
  /** Sent in the header, or where there is none, with the call. */
  readonly bearer: string | undefined
}

/** Members in which somebody might send a secret, rightly or not. */
const MEMBERS = ['token', 'secret', 'privateKey', 'password', 'sessionid', 'auth', 'access_token']

const LAST = 'Auth.RevokeApiToken'

/** Every method of both tables with secrets wherever one could be, the one that ends its caller at the end. */
export function carriers(secrets: Secrets): Carrier[] {
  const names = new Set([...METHODS, ...ZABBIX_METHODS].map(({ name }) => name))
  names.delete(LAST)
  return [...names, LAST].flatMap((method) => [...carriersOf(method, secrets)])
}

function* carriersOf(method: string, { caller, shown, dead, jwt, password }: Secrets): Generator<Carrier> {
  const say = (params: unknown, bearer?: string, more = {}): Carrier => {
    return { message: { jsonrpc: '2.0', id: 1, method, params, ...more } as Carrier['message'], bearer }
  }
  const all = Object.fromEntries(MEMBERS.map((name) => [name, shown]))
  for (const bearer of [dead, password, `${shown.slice(0, -1)}-`]) yield say({}, bearer)
  yield say({ token: shown })
  yield say({}, undefined, { auth: shown, token: shown })
  for (const params of [all, [shown], [shown, shown], [{ ...all }], { nonsense: [{ deep: shown }] }])
    yield say(params, caller)
  for (const name of MEMBERS) {
    yield say({ [name]: password }, jwt)
    yield say({ [name]: [shown] }, jwt)
    yield say({ [name]: shown }, caller)
  }
  for (const bearer of [jwt, caller]) yield say({}, bearer)
}

/** The credential as a member of the call, where that has members. */
export function withMember({ message, bearer }: Carrier): object {
  const { params } = message
  if (bearer === undefined || typeof params !== 'object' || Array.isArray(params)) return message
  return { ...message, params: { ...params, Token: bearer } }
}

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }

/** Header fields that are none of ours, which clients and proxies send all the same. */
const ASTRAY = [
  'Cookie',
  'X-Api-Key',
  'X-Auth-Token',
  'Referer',
  'User-Agent',
  'Via',
  'X-Original-URI',
  'X-Forwarded-Uri',
  'X-Real-IP',
]

/** Requests that bring secrets to a path: as headers, forms, JSON, and in the address. */
export function* requests(path: string, secrets: Secrets): Generator<Question> {
  const { caller, shown, jwt, password } = secrets
  const all = Object.fromEntries(MEMBERS.map((name) => [name, shown]))
  const bearer = { Authorization: `Bearer ${caller}` }
  const basic = (text: string) => `Basic ${Buffer.from(`client:${text}`).toString('base64')}`
  for (const Authorization of [jwt, password].map((text) => `Bearer ${text}`))
    yield { headers: { Authorization } }
  for (const Authorization of [bearer.Authorization, basic(caller), basic(password), `Digest ${caller}`])
    for (const body of [new URLSearchParams(all).toString(), `token=${shown}&token=${shown}`, `token=${jwt}`])
      yield { headers: { ...FORM, Authorization }, body }
  for (const value of [all, [all], { token: shown }, shown])
    yield { headers: bearer, body: JSON.stringify(value) }
  for (const text of [`{"token":"${shown}`, shown, password]) yield { headers: bearer, body: text }
  for (const name of ASTRAY) yield { headers: { ...bearer, [name]: `/files?token=${shown}` } }
  yield { headers: { Authorization: `${bearer.Authorization}, ${basic(password)}` } }
  for (const query of ['token', 'access_token', 'scope', 'name'])
    yield { path: `${path}?${query}=${shown}`, headers: bearer }
  yield { path: `${path}/${shown}`, headers: bearer }
}
