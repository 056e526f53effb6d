import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import WebSocket from 'ws'
import type { Daemon, Scope } from './daemon.ts'

export interface RpcError {
  code: number
  message: string
  data?: string
}

export interface Response {
  jsonrpc: '2.0'
  id: unknown
  result?: unknown
  error?: RpcError
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The body as JSON; undefined where it is empty. */
  readonly json: Response
}

export interface HttpQuestion {
  readonly door?: 'unix' | 'tcp'
  readonly method?: string
  readonly path?: string
  readonly headers?: OutgoingHttpHeaders
  readonly token?: string
}

/** One HTTP request with a body as it is. */
export async function http(
  daemon: Pick<Daemon, 'socket' | 'port'>,
  body: string | Buffer | undefined,
  question: HttpQuestion = {},
): Promise<HttpAnswer> {
  const { door = 'unix', method = 'POST', path = '/api/', token } = question
  const where = door === 'unix' ? { socketPath: daemon.socket } : { host: '127.0.0.1', port: daemon.port }
  const headers = {
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    ...question.headers,
  }
  const req = request({ ...where, method, path, headers, agent: false })
  req.end(body)
  const [res] = await once(req, 'response')
  // Behind a large body Node's client writes once more, nothing: that fails where the answer has already ended the connection.
  req.on('error', () => {})
  const chunks: Buffer[] = []
  for await (const chunk of res) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('utf8')
  return {
    status: res.statusCode,
    headers: res.headers,
    body: text,
    json: text === '' ? undefined : JSON.parse(text),
  }
}

/** One call over HTTP. */
export function call(
  daemon: Daemon,
  method: string,
  params?: unknown,
  question: HttpQuestion = {},
): Promise<HttpAnswer> {
  return http(
    daemon,
    JSON.stringify({ jsonrpc: '2.0', id: 1, method, ...(params !== undefined && { params }) }),
    question,
  )
}

/** Mints over the Unix socket. */
export async function mint(daemon: Daemon, params: Record<string, unknown> = { ttl: 0 }): Promise<string> {
  const { json } = await call(daemon, 'Auth.CreateApiToken', params)
  if (typeof json.result !== 'string') throw new Error(JSON.stringify(json))
  return json.result
}

/** Whether a token is accepted. */
export async function accepted(daemon: Daemon, token: string): Promise<boolean> {
  const { status } = await call(daemon, 'Auth.WhoAmI', undefined, { token })
  return status === 200
}

/** Bytes on a connection, and all that comes back until it ends (or `enough` holds). */
export async function raw(
  daemon: Daemon,
  bytes: string | Buffer,
  {
    door = 'unix',
    end = true,
    enough = () => false,
  }: { door?: 'unix' | 'tcp'; end?: boolean; enough?: (text: string) => boolean } = {},
): Promise<string> {
  const socket = open(daemon, door)
  let text = ''
  const done = new Promise<void>((resolve, reject) => {
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (enough(text)) resolve()
    })
    socket.on('end', () => resolve())
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve() : reject(error),
    )
  })
  socket.write(bytes)
  if (end) socket.end()
  await done
  socket.destroy()
  return text
}

export function open(daemon: Daemon, door: 'unix' | 'tcp' = 'unix'): Socket {
  return door === 'unix'
    ? connect({ path: daemon.socket, allowHalfOpen: true })
    : connect({ port: daemon.port, host: '127.0.0.1', allowHalfOpen: true })
}

/** The responses in newline-delimited text. */
export function lines(text: string): (Response | Response[])[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

export interface WsClient {
  readonly ws: WebSocket
  /** Messages that have not been taken yet. */
  readonly inbox: string[]
  send(message: unknown): void
  /** What is sent meanwhile goes out in one piece. */
  together(send: () => void): void
  /** The next message as JSON. */
  next(): Promise<Response>
  /** A call and its answer. */
  call(method: string, params?: unknown): Promise<Response>
  readonly closed: Promise<{ code: number; reason: string }>
}

/** A WebSocket on the Unix socket or on loopback. */
export async function webSocket(
  t: Scope,
  daemon: Daemon,
  { door = 'unix', headers = {} }: { door?: 'unix' | 'tcp'; headers?: Record<string, string> } = {},
): Promise<WsClient> {
  const url = door === 'unix' ? `ws+unix:${daemon.socket}:/api/` : `ws://127.0.0.1:${daemon.port}/api/`
  const ws = new WebSocket(url, { headers })
  t.after(() => ws.terminate())
  const inbox: string[] = []
  const waiting: ((text: string) => void)[] = []
  ws.on('message', (data) => {
    const text = String(data)
    const taker = waiting.shift()
    if (taker === undefined) inbox.push(text)
    else taker(text)
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  ws.on('error', () => {})
  let socket: Socket | undefined
  ws.once('upgrade', (res: IncomingMessage) => {
    socket = res.socket
  })
  const [event] = await Promise.race([once(ws, 'open').then(() => ['open']), refusal(ws)])
  if (event !== 'open') throw new UpgradeRefused(Number(event))
  const next = async () =>
    JSON.parse(inbox.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve))))
  const send = (message: unknown) => ws.send(typeof message === 'string' ? message : JSON.stringify(message))
  return {
    ws,
    inbox,
    send,
    together(sendAll) {
      socket?.cork()
      sendAll()
      socket?.uncork()
    },
    next,
    closed,
    call(method, params) {
      send({ jsonrpc: '2.0', id: 1, method, ...(params !== undefined && { params }) })
      return next()
    },
  }
}

function refusal(ws: WebSocket): Promise<string[]> {
  return new Promise((resolve) =>
    ws.on('unexpected-response', (_req, res) => resolve([String(res.statusCode)])),
  )
}

/** The upgrade was answered with something else than 101. */
export class UpgradeRefused extends Error {
  readonly status: number

  constructor(status: number) {
    super(`upgrade refused: ${status}`)
    this.status = status
  }
}
