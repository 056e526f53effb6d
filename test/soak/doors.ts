import type { Daemon, Scope } from '../support/daemon.ts'
import { conversation } from '../support/lives.ts'
import { type Address, callAt } from '../support/remote.ts'
import { within } from '../support/scope.ts'
import { call, type HttpAnswer, http, type Response, UpgradeRefused, webSocket } from '../support/talk.ts'
import type { Known, Register } from './register.ts'
import { soon } from './soon.ts'

/** A way to show a token. Throws where the answer is neither an acceptance nor a refusal of the token. */
export interface Door {
  readonly name: string
  accepts(token: string): Promise<boolean>
}

export interface Ground {
  readonly daemon: Daemon
  /** A superadmin's token that is never ended. */
  readonly admin: string
  readonly secure: Address
  /** The remote door for a reverse proxy: a Unix socket's path. */
  readonly proxied: string
}

const UNAUTHENTICATED = -32001
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }

/** All doors; conversations stay open until the scope ends. */
export async function openDoors(scope: Scope, { daemon, admin, secure, proxied }: Ground): Promise<Door[]> {
  const lines = conversation(scope, daemon)
  const ws = await webSocket(scope, daemon, { door: 'tcp' })
  const who = 'Auth.WhoAmI'
  return [
    door('unix', async (token) => judgeHttp(await call(daemon, who, undefined, { token }))),
    door('tcp', async (token) => judgeHttp(await call(daemon, who, undefined, { token, door: 'tcp' }))),
    door('lines', async (Token) => judge(await lines.call(who, { Token }))),
    door('websocket', async (Token) => judge(await ws.call(who, { Token }))),
    door('upgrade', (token) => upgrades(daemon, token)),
    door('tls', async (token) => judgeHttp(await callAt(secure, who, {}, { token }))),
    door('proxied', async (token) => judgeHttp(await callAt(proxied, who, {}, { token }))),
    door('auth', async (token) => {
      const { status } = await http(daemon, undefined, { method: 'GET', path: '/auth', token })
      return judgeStatus(status, 204)
    }),
    door('introspection', async (token) => {
      const answer = await http(daemon, `token=${token}`, {
        path: '/oauth2/introspect',
        headers: FORM,
        token: admin,
      })
      return (answer.json as unknown as { active: boolean }).active
    }),
    door('zabbix', async (token) => {
      const { json } = await zabbix(daemon, 'token.get', { tokenids: ['0'] }, token)
      if (json.error === undefined) return Array.isArray(json.result)
      if (/^(Not authorized|API token)/.test(json.error.data ?? '')) return false
      throw new Error(JSON.stringify(json.error))
    }),
  ]
}

function door(name: string, accepts: Door['accepts']): Door {
  return { name, accepts: (token) => soon(`an answer at ${name}`, accepts(token)) }
}

export function zabbix(daemon: Daemon, method: string, params: unknown, token: string): Promise<HttpAnswer> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  return http(daemon, body, { path: '/api_jsonrpc.php', token })
}

function judgeHttp({ status, json }: HttpAnswer): boolean {
  const accepted = judge(json)
  if (status !== (accepted ? 200 : 401)) throw new Error(`${status} ${JSON.stringify(json)}`)
  return accepted
}

function judge(answer: Response | undefined): boolean {
  if (typeof (answer?.result as { tokenid?: unknown } | undefined)?.tokenid === 'string') return true
  if (answer?.error?.code === UNAUTHENTICATED) return false
  throw new Error(JSON.stringify(answer) ?? 'the connection has ended')
}

function judgeStatus(status: number, good: number): boolean {
  if (status !== good && status !== 401) throw new Error(`status ${status}`)
  return status === good
}

function upgrades(daemon: Daemon, token: string): Promise<boolean> {
  return within(async (scope) => {
    try {
      await webSocket(scope, daemon, { headers: { Authorization: `Bearer ${token}` } })
      return true
    } catch (error) {
      if (error instanceof UpgradeRefused) return judgeStatus(error.status, 101)
      throw error
    }
  })
}

/** Shows a token at a door, and complains when it is not answered as it must be. */
export async function show(known: Known, { name, accepts }: Door, register: Register): Promise<void> {
  const { livesUntil, deadFrom, secret, tokenid } = known
  const began = Date.now()
  const accepted = await accepts(secret)
  const ended = Date.now()
  register.count(accepted ? 'accepted' : 'refused')
  const about = `token ${tokenid} at ${name}, begun ${began}, answered ${ended}`
  if (!accepted && ended < livesUntil) register.complain(`a live token is refused: ${about}`)
  if (accepted && began >= deadFrom)
    register.complain(`a dead token is accepted: ${about}, dead from ${deadFrom}`)
}
