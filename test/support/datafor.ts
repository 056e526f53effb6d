import { createHmac, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { join } from 'node:path'
import pino from 'pino'
import { loadConfig } from '../../src/config.ts'
import { startDaemon as startHere } from '../../src/daemon.ts'
import { type Daemon, type Scope, temporaryDirectory } from './daemon.ts'
import { call, http, mint } from './talk.ts'

export const BASE = '/plugin/datafor-modeler/api/token/'
/** When Datafor's documented example was made, in milliseconds: a day before its `exp`. */
export const EXAMPLE_TIME = 1_722_929_516_000
export const EXAMPLE =
  'eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJFUlAiOiJhZG1pbiIsImV4cCI6MTcyMzAxNTkxNn0.uEmUwBfNAd5FtzjPPrldU9bierng7fd8rCVlZtVPY2k'
export const SECRET = 'a secret of more than thirty-two bytes, for tests'
/** So many wrong credentials come from here that they would be told to wait. */
export const PATIENT = '[rate]\nfailures_per_address = "none"\n'

/** A public key as a configuration takes it. */
export function publicPem(key: KeyObject): string {
  return String(key.export({ type: 'spki', format: 'pem' }))
}

export type Fields = Record<string, unknown>

export interface Told {
  readonly status: number
  readonly body: Fields
}

/** One of Datafor's calls: POST with a form or with JSON where there is one, else GET. */
export async function ask(
  daemon: Daemon,
  token: string | undefined,
  path: string,
  { form, json, door = 'tcp' }: { form?: Record<string, string>; json?: unknown; door?: 'unix' | 'tcp' } = {},
): Promise<Told> {
  const body = form
    ? new URLSearchParams(form).toString()
    : json === undefined
      ? undefined
      : JSON.stringify(json)
  const answer = await http(daemon, body, {
    door,
    method: body === undefined ? 'GET' : 'POST',
    path: BASE + path,
    headers: form ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {},
    ...(token !== undefined && { token }),
  })
  return { status: answer.status, body: answer.json as unknown as Fields }
}

export interface Page {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A request whose answer need not be JSON. */
export async function fetched(
  daemon: Daemon,
  path: string,
  {
    door = 'tcp',
    token,
    headers = {},
  }: { door?: 'unix' | 'tcp'; token?: string; headers?: Record<string, string> } = {},
): Promise<Page> {
  const where = door === 'unix' ? { socketPath: daemon.socket } : { host: '127.0.0.1', port: daemon.port }
  const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` }
  const req = request({ ...where, path, headers: { ...authorization, ...headers }, agent: false })
  req.end()
  const [res] = await once(req, 'response')
  let body = ''
  for await (const chunk of res) body += chunk
  return { status: res.statusCode, headers: res.headers, body }
}

/** Makes a configuration that accepts tokens. */
export async function configure(daemon: Daemon, token: string, fields: Fields): Promise<Told> {
  const told = await ask(daemon, token, 'update', { json: { enable: '1', secret: SECRET, ...fields } })
  if (told.status !== 200) throw new Error(JSON.stringify(told.body))
  return told
}

/** A new user, and a token of theirs. */
export async function userWithToken(
  daemon: Daemon,
  admin: string,
  username: string,
  type = 'user',
  params: Fields = {},
): Promise<{ userid: string; token: string }> {
  const { json } = await call(daemon, 'user.create', { username, type }, { token: admin })
  const [userid = ''] = (json.result as { userids: string[] }).userids
  return { userid, token: await mint(daemon, { ttl: 0, userid, ...params }) }
}

/** The user whom a credential stands for; undefined: it is not accepted. */
export async function whose(daemon: Daemon, token: string): Promise<string | undefined> {
  const { json } = await call(daemon, 'Auth.WhoAmI', undefined, { token })
  return (json.result as { user: { username: string } } | undefined)?.user.username
}

/** Base64url; text as it is, anything else as JSON. */
export function encoded(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

/** A JWT with an HMAC, whatever it says of itself. */
export function hmacJwt(
  secret: string | Buffer,
  payload: unknown,
  header: unknown = { typ: 'JWT', alg: 'HS256' },
  hash = 'sha256',
): string {
  const input = `${encoded(header)}.${encoded(payload)}`
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
}

/** A JWT signed with a private key, RSASSA-PKCS1-v1_5 or ECDSA. */
export function keyJwt(key: KeyObject, alg: string, payload: unknown, header: Fields = {}): string {
  const input = `${encoded({ typ: 'JWT', alg, ...header })}.${encoded(payload)}`
  const signature = sign(`sha${alg.slice(2)}`, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

export function claimsOf(token: string): Fields {
  return partOf(token, 1)
}

export function headerOf(token: string): Fields {
  return partOf(token, 0)
}

function partOf(token: string, at: number): Fields {
  return JSON.parse(Buffer.from(token.split('.')[at] ?? '', 'base64url').toString('utf8'))
}

/** Unix seconds, so much from now. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds
}

/** A daemon in this process, on a machine whose clocks are set by hand. */
export async function machine(t: Scope, wall = EXAMPLE_TIME, configText = PATIENT) {
  const directory = temporaryDirectory(t)
  const socket = join(directory, 's.sock')
  const file = join(directory, 'postern.toml')
  writeFileSync(file, configText)
  const stateDir = join(directory, 'state')
  const { config } = loadConfig({ stateDir, socket, port: '0', config: file }, 'daemon', {})
  const clocks = { wall, monotonic: 1000 }
  const time = { wall: () => clocks.wall, monotonic: () => clocks.monotonic }
  const log = pino({ level: 'silent' })
  const inherited = { unix: [], tcp: [], remote: [], diag: [] }
  const running = await startHere(config, { log, inherited, reread: () => config, time })
  t.after(() => void running.close())
  return {
    // What talks to a daemon needs no more of it than this.
    daemon: { socket, port: running.port, stateDir } as Daemon,
    clocks,
    /** Time passes on both clocks. */
    pass(milliseconds: number) {
      clocks.wall += milliseconds
      clocks.monotonic += milliseconds
    },
  }
}

/** A machine on which plain users sign personal tokens from one configuration. */
export async function selfService(t: Scope) {
  const { daemon, pass, clocks } = await machine(t)
  const admin = await mint(daemon)
  await configure(daemon, admin, { name: 'AI', self_service: '1', expire: 3600, token_name: 'jwt' })
  const { token: joe } = await userWithToken(daemon, admin, 'joe')
  const issue = async (fields: Fields = {}, token = joe) =>
    (await ask(daemon, token, 'personal', { json: fields })).body as Fields & { token: string; jti: string }
  const list = async (token = joe) => (await ask(daemon, token, 'personal/list')).body.data as Fields[]
  return { daemon, pass, clocks, admin, joe, issue, list }
}

/** A daemon at the time of the example, with an admin's token and a user called joe. */
export async function gate(t: Scope) {
  const { daemon, pass } = await machine(t)
  const admin = await mint(daemon)
  const { userid: joe } = await userWithToken(daemon, admin, 'joe')
  const change = (fields: Fields) => call(daemon, 'user.update', { userid: joe, ...fields }, { token: admin })
  const found = async (username: string) =>
    (
      await call(
        daemon,
        'user.get',
        { filter: { username }, output: ['username', 'type', 'name'] },
        { token: admin },
      )
    ).json.result
  return { daemon, pass, admin, joe, change, found }
}
