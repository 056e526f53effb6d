import type { IncomingHttpHeaders } from 'node:http'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LARGEST_ANSWER } from '../../src/server/gateway/link.ts'
import { type Scope, temporaryDirectory } from './daemon.ts'
import { Address } from './remote.ts'
import { lineServer, type Way, webServer } from './upstream-servers.ts'

const RELAY = fileURLToPath(new URL('relay.mjs', import.meta.url))

/** Every way to an upstream. */
export const KINDS = ['http', 'unix+http', 'ws', 'tcp', 'unix', 'exec'] as const
export type Kind = (typeof KINDS)[number]

/** A call as it arrived at a fake upstream, and what can be done about it. */
export interface Heard {
  readonly id: unknown
  readonly method: string
  readonly params: unknown
  /** As it came. */
  readonly text: string
  /** Of the request, or of the upgrade of a WebSocket. */
  readonly headers: IncomingHttpHeaders
  /** A whole message. */
  reply(message: string | Buffer): void
  result(json: string): void
  /** Half a message, and the end of the connection. */
  drop(): void
  /** Fulfilled when the connection, or the HTTP request, is over. */
  readonly gone: Promise<void>
}

export type Behaviour = (heard: Heard) => void

/** A service behind the gate. */
export interface Fake {
  readonly kind: Kind
  /** For the configuration. */
  readonly url: string
  readonly heard: Heard[]
  /** What it does about a call; `obey` at first. */
  behaviour: Behaviour
  /** A message of its own accord, to all who are connected. */
  tell(message: string): void
  /** Ends all connections; new ones are taken. */
  hangUp(): void
  /** As if it had been killed. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** Two megabytes. */
export const BIG = `"${'é'.repeat(1024 * 1024)}"`

/** Does what the last part of the method's name says. */
export const obey: Behaviour = (heard) => {
  const [first] = Array.isArray(heard.params) ? heard.params : []
  switch (heard.method.split('.').at(-1)) {
    case 'result':
      return heard.result(String(first))
    case 'raw':
      return heard.reply(String(first).replaceAll('$ID', String(heard.id)))
    case 'bytes':
      return heard.reply(Buffer.from(String(first).replaceAll('$ID', String(heard.id)), 'latin1'))
    case 'drop':
      return heard.drop()
    case 'silence':
      return
    case 'large':
      return heard.result(`"${'x'.repeat(LARGEST_ANSWER)}"`)
    case 'big':
      return heard.result(BIG)
    case 'jumble':
      setTimeout(() => heard.result(JSON.stringify(heard.params)), Math.random() * 30)
      return
    case 'discover':
    case 'listMethods':
      return heard.reply(
        `{"jsonrpc":"2.0","id":${heard.id},"error":{"code":-32601,"message":"Method not found"}}`,
      )
    default:
      return heard.result(JSON.stringify(heard.params ?? null))
  }
}

/** A fake that listens; gone when the test ends. */
export async function upstream(t: Scope, kind: Kind): Promise<Fake> {
  const heard: Heard[] = []
  const voices = new Set<(message: string) => void>()
  const sockets = new Set<Socket>()
  const take = (text: string, way: Way) => {
    const { id, method, params } = JSON.parse(text)
    const result = (json: string) =>
      way.reply(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${json}}`)
    const one = { id, method, params, text, result, ...way }
    heard.push(one)
    fake.behaviour(one)
  }
  const open =
    kind === 'ws' || kind.endsWith('http') ? webServer(kind, take, voices) : lineServer(take, voices)
  const path = join(temporaryDirectory(t), 'up.sock')
  // On a loopback address of its own nobody else is given its port while it is stopped.
  const { host } = new Address()
  let where: string | { port: number; host: string } =
    kind === 'http' || kind === 'ws' || kind === 'tcp' ? { port: 0, host } : path
  let server: Server
  const start = async () => {
    server = open()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(where, resolve))
    if (typeof where !== 'string') where = { ...where, port: (server.address() as { port: number }).port }
  }
  await start()
  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
  }
  const stop = () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    hangUp()
    return closed
  }
  t.after(() => void stop())
  const { port } = typeof where === 'string' ? { port: 0 } : where
  const authority = `${host}:${port}`
  const fake: Fake = {
    kind,
    url: urlOf(kind, path, authority),
    heard,
    behaviour: obey,
    tell(message) {
      for (const say of voices) say(message)
    },
    hangUp,
    stop,
    start,
  }
  return fake
}

function urlOf(kind: Kind, path: string, authority: string): string {
  switch (kind) {
    case 'http':
    case 'ws':
      return `${kind}://${authority}/rpc`
    case 'unix+http':
      return `unix+http:${path}:/rpc`
    case 'tcp':
      return `tcp:${authority}`
    case 'unix':
      return `unix:${path}`
    case 'exec':
      return `exec:${process.execPath} ${RELAY} ${path}`
  }
}

/** A namespace for each kind: a plus is none of a scope's letters. */
export function namespaceOf(kind: Kind): string {
  return `${kind.replace('+', '_')}.`
}

/** An `[[upstream]]` in the configuration: everything is let through, unless said otherwise. */
export function table({ url, kind }: Pick<Fake, 'url' | 'kind'>, more: Record<string, unknown> = {}): string {
  const keys = {
    name: kind,
    namespace: namespaceOf(kind),
    url,
    methods: [],
    allow_unlisted: true,
    timeout: '20s',
    ...more,
  }
  const lines = Object.entries(keys).map(([key, value]) => `${key} = ${inToml(value)}`)
  return `[[upstream]]\n${lines.join('\n')}\n`
}

function inToml(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value)
  return `{ ${Object.entries(value).map(([key, inner]) => `${key} = ${JSON.stringify(inner)}`)} }`
}
