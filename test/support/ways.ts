import { once } from 'node:events'
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import WebSocket from 'ws'
import type { Daemon, Scope } from './daemon.ts'
import { conversation } from './lives.ts'
import type { Address } from './remote.ts'

/** A way in for HTTP and WebSockets. */
export interface Way {
  readonly name: string
  readonly isTls: boolean
  /** Where to connect to, as Node has it. */
  readonly options: object
  /** What whoever is in front adds to each request. */
  readonly headers: OutgoingHttpHeaders
}

/** The doors of a daemon that has a remote one with TLS, and one for a proxy that it trusts. */
export function waysOf(
  { socket, port }: Daemon,
  { tls, proxied }: { tls: Address; proxied: Address },
): Way[] {
  const way = (name: string, options: object, more: Partial<Way> = {}): Way => {
    return { name, options, isTls: false, headers: {}, ...more }
  }
  return [
    way('the Unix socket', { socketPath: socket }),
    way('loopback', { host: '127.0.0.1', port }),
    way('the remote door', tls.options, { isTls: true }),
    way('a proxy', proxied.options, { headers: { 'X-Forwarded-For': '192.0.2.7' } }),
  ]
}

export interface Question {
  readonly verb?: string
  readonly path?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | undefined
}

/** All that is answered to a request: status, headers and body, as text. */
export async function answerOf(
  way: Way,
  { verb = 'POST', path = '/api/', headers = {}, body }: Question,
): Promise<string> {
  // Node frames no body of a GET by itself.
  const length = Buffer.byteLength(body ?? '')
  const own = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': length }
  const options = {
    ...way.options,
    method: verb,
    path,
    agent: false,
    headers: { ...own, ...way.headers, ...headers },
  }
  const req = way.isTls ? httpsRequest(options) : httpRequest(options)
  req.end(body)
  const [res] = await once(req, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of res) chunks.push(chunk as Buffer)
  return `${res.statusCode} ${JSON.stringify(res.headers)}\n${Buffer.concat(chunks).toString('utf8')}`
}

/** Sends messages over a WebSocket: all that came back when each of them was answered. */
export async function overWebSocket(
  t: Scope,
  way: Way,
  messages: readonly object[],
  headers: Record<string, string> = {},
): Promise<string[]> {
  const { socketPath, host, port } = way.options as { socketPath?: string; host?: string; port?: number }
  const place =
    socketPath === undefined ? `ws${way.isTls ? 's' : ''}://${host}:${port}` : `ws+unix:${socketPath}:`
  const ws = new WebSocket(`${place}/api/`, {
    ...way.options,
    headers: { ...(way.headers as Record<string, string>), ...headers },
  })
  t.after(() => ws.terminate())
  await once(ws, 'open')
  const texts: string[] = []
  let due = messages.length
  const done = new Promise<void>((resolve, reject) => {
    ws.on('close', (code) => reject(new Error(`closed with ${code} while ${due} answers were due`)))
    ws.on('message', (data) => {
      texts.push(String(data))
      if ('id' in JSON.parse(String(data)) && --due === 0) resolve()
    })
  })
  for (const message of messages) ws.send(JSON.stringify(message))
  await done
  ws.terminate()
  return texts
}

/** Likewise, where a line is a message. */
export async function overLines(t: Scope, daemon: Daemon, messages: readonly object[]): Promise<string[]> {
  const lines = conversation(t, daemon)
  for (const message of messages) lines.send(message)
  const texts: string[] = []
  for (let due = messages.length; due > 0; ) {
    const line = await lines.next()
    if (line === undefined) throw new Error(`the conversation ended while ${due} answers were due`)
    texts.push(JSON.stringify(line))
    if ('id' in line) due--
  }
  lines.close()
  return texts
}
