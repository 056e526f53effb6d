import { connect } from 'node:net'
import type { Daemon, Scope } from './daemon.ts'
import { call, type HttpQuestion, mint, type Response } from './talk.ts'

/** The result of a call, which must succeed. */
export async function ok<T = unknown>(
  daemon: Daemon,
  method: string,
  params: unknown,
  token: string,
  question: HttpQuestion = {},
): Promise<T> {
  const { json } = await call(daemon, method, params, { token, ...question })
  if (json.error !== undefined) throw new Error(`${method}: ${JSON.stringify(json.error)}`)
  return json.result as T
}

/** The HTTP status of a call. */
export async function statusOf(
  daemon: Daemon,
  method: string,
  params: unknown,
  token: string,
  question: HttpQuestion = {},
): Promise<number> {
  return (await call(daemon, method, params, { token, ...question })).status
}

export interface Made {
  readonly token: string
  readonly tokenid: string
  readonly name: string
}

let counter = 0

/** A token and its id, which is found by an administrator: asking the token itself would be a use of it. */
export async function make(
  daemon: Daemon,
  admin: string,
  params: Record<string, unknown> = {},
): Promise<Made> {
  const name = `made-${++counter}`
  const token = await mint(daemon, { ttl: 0, name, ...params })
  const [found] = await ok<{ tokenid: string }[]>(daemon, 'token.get', { filter: { name } }, admin)
  return { token, tokenid: found?.tokenid ?? '', name }
}

/** A user of a type, and their id. */
export async function user(daemon: Daemon, admin: string, type = 'user'): Promise<string> {
  const username = `user-${++counter}`
  const { userids } = await ok<{ userids: string[] }>(daemon, 'user.create', { username, type }, admin)
  return userids[0] ?? ''
}

/** What the event log of a watch says. */
export interface WatchEvent {
  readonly event: string
  readonly number?: number
  readonly tokenid?: string
  readonly userid?: string
  readonly [key: string]: unknown
}

/** A conversation of newline-delimited JSON on the Unix socket. */
export interface Lines {
  send(message: unknown): void
  /** The next line as JSON; undefined: it is over. */
  next(): Promise<(Response & { params?: WatchEvent }) | undefined>
  call(method: string, params?: unknown): Promise<Response | undefined>
  readonly closed: Promise<void>
  close(): void
}

export function conversation(t: Scope, daemon: Daemon): Lines {
  const socket = connect(daemon.socket)
  t.after(() => void socket.destroy())
  const inbox: string[] = []
  const waiting: ((line: string | undefined) => void)[] = []
  let rest = ''
  let over = false
  socket.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const taker = waiting.shift()
      if (taker === undefined) inbox.push(line)
      else taker(line)
    }
  })
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) =>
    socket.on('close', () => {
      over = true
      for (const taker of waiting.splice(0)) taker(undefined)
      resolve()
    }),
  )
  const send = (message: unknown) => void socket.write(`${JSON.stringify(message)}\n`)
  const take = () =>
    over
      ? Promise.resolve(inbox.shift())
      : new Promise<string | undefined>((resolve) => waiting.push(resolve))
  const next = async () => {
    const line = inbox.shift() ?? (await take())
    return line === undefined ? undefined : JSON.parse(line)
  }
  return {
    send,
    next,
    closed,
    close: () => void socket.destroy(),
    call(method, params) {
      send({ jsonrpc: '2.0', id: 1, method, ...(params !== undefined && { params }) })
      return next()
    },
  }
}

/** Events of a watch up to the first that fulfils a condition, that one included. */
export async function eventsUntil(
  lines: Pick<Lines, 'next'>,
  isLast: (event: WatchEvent) => boolean,
): Promise<WatchEvent[]> {
  const seen: WatchEvent[] = []
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const { params } = line
    if (params === undefined) throw new Error(`not an event: ${JSON.stringify(line)}`)
    seen.push(params)
    if (isLast(params)) return seen
  }
  throw new Error(`the watch ended after ${JSON.stringify(seen)}`)
}
