import assert from 'node:assert/strict'
import type { Daemon } from './daemon.ts'
import { converseAs, type Identity } from './root.ts'
import { call, type Response } from './talk.ts'

/** A mint on one line, as newline JSON has it. */
export function mintLine(params: object = { ttl: 60 }): string {
  return JSON.stringify({ jsonrpc: '2.0', method: 'Auth.CreateApiToken', params, id: 1 })
}

/** The bytes of an HTTP request that mints. `head`: more lines, each with its end. */
export function mintRequest(host: string, { head = '', params = { ttl: 60 } as object } = {}): string {
  const body = mintLine(params)
  const lines = [
    'POST /api/ HTTP/1.1',
    `Host: ${host}`,
    'Content-Type: application/json',
    'Connection: close',
  ]
  return `${lines.join('\r\n')}\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`
}

export interface Answer {
  readonly status: number
  readonly json: Response
}

/** An HTTP answer's bytes, read. */
export function readAnswer(text: string): Answer {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), json: JSON.parse(body) }
}

/** Mints as somebody else, over HTTP. */
export async function mintAs(
  identity: Identity,
  { socket, port }: Daemon,
  door: 'unix' | 'tcp',
  params?: object,
): Promise<Answer> {
  const request = mintRequest(`127.0.0.1:${port}`, params && { params })
  return readAnswer(await converseAs(identity, door === 'unix' ? socket : port, request))
}

export function assertMinted({ status, json }: Answer): string {
  assert.deepEqual([status, json.error], [200, undefined])
  assert.match(String(json.result), /^pst_/)
  return String(json.result)
}

/** Refused for who is asking, or for what was asked of an operator rule. */
export function assertForbidden({ status, json }: Answer, data?: RegExp): void {
  assert.deepEqual([status, json.error?.code, json.result], [403, -32003, undefined])
  if (data !== undefined) assert.match(json.error?.data ?? '', data)
}

export interface AuditLine {
  readonly event: string
  readonly token?: string
  readonly by: { readonly address?: string; readonly uid?: number; readonly [key: string]: unknown }
  readonly [key: string]: unknown
}

/** The newest lines of the audit log. */
export async function audit(daemon: Daemon, token: string, limit = 1000): Promise<AuditLine[]> {
  const { json } = await call(daemon, 'audit.get', { limit }, { token })
  if (!Array.isArray(json.result)) throw new Error(JSON.stringify(json))
  return json.result as AuditLine[]
}

export async function countMints(daemon: Daemon, token: string): Promise<number> {
  return (await audit(daemon, token)).filter(({ event }) => event === 'token.mint').length
}
