import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { Daemon, Scope } from '../support/daemon.ts'
import { conversation, type Lines } from '../support/lives.ts'
import { type Address, httpAt } from '../support/remote.ts'
import { call, http, type Response, UpgradeRefused, type WsClient, webSocket } from '../support/talk.ts'

/** Shows a token at a door, and says whether it was accepted. A connection that is closed for it is a refusal. */
export type Ask = (token: string) => Promise<boolean>

/** Every door, by what it is called. `remote`: where the remote door is. `other`: a token that lives on. */
export function doorsOf(
  scope: Scope,
  daemon: Daemon,
  { remote, other }: { remote: Address; other: string },
): Readonly<Record<string, Ask>> {
  const whoAmI = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI' })
  const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })
  return {
    'HTTP, Unix socket': async (token) =>
      (await call(daemon, 'Auth.WhoAmI', undefined, { token })).status === 200,
    'HTTP, a kept loopback connection': keptAlive(scope, daemon, whoAmI),
    'HTTP, remote door': async (token) => (await httpAt(remote, whoAmI, { token })).status === 200,
    'a batch': async (token) => {
      const one = { jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI', params: { Token: token } }
      const { json } = await http(daemon, JSON.stringify([one, one]))
      return (json as unknown as Response[]).some(({ error }) => error === undefined)
    },
    'Zabbix dialect': async (token) => {
      const { json } = await call(daemon, 'token.get', { limit: 1 }, { token, path: '/api_jsonrpc.php' })
      return json.error === undefined
    },
    WebSocket: overWebSocket(scope, daemon),
    'an upgrade to WebSocket': async (token) => {
      try {
        const { ws } = await webSocket(scope, daemon, bearer(token))
        ws.terminate()
        return true
      } catch (error) {
        if (error instanceof UpgradeRefused) return false
        throw error
      }
    },
    'newline JSON': overLines(scope, daemon),
    'forward-auth': async (token) =>
      (await http(daemon, undefined, { method: 'GET', path: '/auth', token })).status === 204,
    introspection: async (token) => {
      const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
      const question = { path: '/oauth2/introspect', token: other, headers: form }
      const { json } = await http(daemon, `token=${token}`, question)
      return (json as unknown as { active: boolean }).active
    },
  }
}

function keptAlive(scope: Scope, { port }: Daemon, body: string): Ask {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  scope.after(() => agent.destroy())
  const where = { agent, port, host: '127.0.0.1', path: '/api/', method: 'POST' }
  return async (token) => {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
    const req = request({ ...where, headers })
    req.end(body)
    const [res] = await once(req, 'response')
    res.resume()
    await once(res, 'end')
    return res.statusCode === 200
  }
}

function overWebSocket(scope: Scope, daemon: Daemon): Ask {
  let client: WsClient | undefined
  return async (token) => {
    client ??= await webSocket(scope, daemon)
    const { call: ask, closed } = client
    const answer = await Promise.race([ask('Auth.WhoAmI', { Token: token }), closed.then(() => undefined)])
    if (answer === undefined) client = undefined
    return answer !== undefined && answer.error === undefined
  }
}

function overLines(scope: Scope, daemon: Daemon): Ask {
  let lines: Lines | undefined
  return async (token) => {
    lines ??= conversation(scope, daemon)
    const answer = await lines.call('Auth.WhoAmI', { Token: token })
    if (answer === undefined) lines = undefined
    return answer !== undefined && answer.error === undefined
  }
}
