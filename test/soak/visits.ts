import { setTimeout as pause } from 'node:timers/promises'
import { conversation, eventsUntil, make, ok } from '../support/lives.ts'
import { within } from '../support/scope.ts'
import { call, http, mint, open, webSocket } from '../support/talk.ts'
import type { Deed } from './careers.ts'
import { any } from './register.ts'
import { soon } from './soon.ts'

const BATCH = 40

/** Opened with a token, spoken over, and closed by the token's end. */
export const webSocketLife: Deed = ({ daemon, admin }) =>
  within(async (scope) => {
    const { token, tokenid } = await make(daemon, admin, { ttl: 3600 })
    const door = any(['unix', 'tcp'] as const) ?? 'unix'
    const ws = await webSocket(scope, daemon, { door, headers: { Authorization: `Bearer ${token}` } })
    for (let n = 0; n < 5; n++) {
      const { result } = await soon('an answer over a WebSocket', ws.call('Auth.WhoAmI'))
      if ((result as { tokenid: string }).tokenid !== tokenid) throw new Error(JSON.stringify(result))
    }
    const vanishes = Math.random() < 0.3
    if (vanishes) ws.ws.terminate()
    await ok(daemon, 'Auth.RevokeApiToken', { tokenid }, admin)
    const { code } = await soon('the end of a WebSocket whose token has ended', ws.closed)
    if (code !== 4401 && !vanishes) throw new Error(`a WebSocket was closed with ${code}, not 4401`)
  })

export const watched: Deed = ({ daemon, admin }) =>
  within(async (scope) => {
    const lines = conversation(scope, daemon)
    const began = await soon('the begin of a watch', lines.call('token.watch', { Token: admin }))
    if (began?.error !== undefined) throw new Error(JSON.stringify(began.error))
    const { tokenid } = await make(daemon, admin, { ttl: 3600 })
    await ok(daemon, 'Auth.RevokeApiToken', { tokenid }, admin)
    const isLast = (event: { event: string; tokenid?: string }) =>
      event.event === 'revoked' && event.tokenid === tokenid
    const events = await soon('what a watch was to tell', eventsUntil(lines, isLast))
    const own = events.filter((event) => event.tokenid === tokenid).map(({ event }) => event)
    if (String(own) !== 'created,revoked') throw new Error(`a watch told ${own}`)
  })

/** Beginnings of things that never come to their end. */
const FRAGMENTS = [
  '',
  'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Le',
  'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"jsonrpc"',
  '{"jsonrpc":"2.0","method":"Auth.Who',
  '[[[[[[[[',
  'GET /api/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n',
] as const

export const dropped: Deed = async ({ daemon, admin }) => {
  const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'token.get', params: { Token: admin } })
  const door = any(['unix', 'tcp'] as const)
  const socket = open(daemon, door)
  socket.on('error', () => {})
  socket.write(any([...FRAGMENTS, `${call}\n`, `${call}\n`.repeat(20)]) as string)
  await pause(Math.random() * 20)
  if (door === 'tcp' && Math.random() < 0.5) socket.resetAndDestroy()
  else socket.destroy()
}

export const batched: Deed = async ({ daemon, admin }) => {
  const one = { jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI' }
  const { json } = await http(daemon, JSON.stringify(Array(BATCH).fill(one)), { token: admin })
  const answers = json as unknown as { result?: { tokenid?: string } }[]
  if (answers.length !== BATCH || answers.some(({ result }) => result?.tokenid === undefined))
    throw new Error(`a batch is answered with ${JSON.stringify(json)}`)
}

/** Who may not is told so, and nothing else. */
export const overreached: Deed = async ({ daemon }) => {
  const token = await mint(daemon, { ttl: 3600, scopes: ['Auth.*'] })
  const { status } = await call(daemon, 'audit.get', {}, { token })
  if (status !== 403) throw new Error(`beyond its scopes a token is answered ${status}`)
  await ok(daemon, 'Auth.RevokeApiToken', {}, token)
}

const READS: readonly [method: string, params: unknown][] = [
  ['audit.get', { limit: 100 }],
  ['audit.get', { limit: 20, event: 'token.mint' }],
  ['token.get', { output: ['tokenid', 'name'], limit: 100, sortfield: 'name' }],
  ['token.get', { countOutput: true }],
  ['user.get', {}],
  ['system.info', {}],
  ['system.metrics', {}],
  ['rpc.discover', {}],
]

export const read: Deed = async ({ daemon, admin }) => {
  const [method, params] = any(READS) as (typeof READS)[number]
  await ok(daemon, method, params, admin, { door: any(['unix', 'tcp'] as const) ?? 'unix' })
}
