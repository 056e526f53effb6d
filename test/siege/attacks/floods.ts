import { createHmac } from 'node:crypto'
import { mintSecret } from '../../../src/auth/secret.ts'
import { UPGRADE } from '../../bench/load/connection.ts'
import type { Attack, Effort, Target } from './attack.ts'
import { Crowd, type Door, dial, frame, post, pour } from './sockets.ts'

/** Bytes of what is written at a time. */
const PIECE = 64 * 1024

interface Flood {
  readonly name: string
  readonly door: Door
  readonly connections: number
  /** What comes before everything else. */
  readonly greeting?: string
  /** Messages, sent one behind the other, over and over. */
  messages(): readonly Buffer[]
}

/** As many messages as can be written, and the answers read. */
function flood({ name, door, connections, greeting, messages }: Flood): Attack {
  return {
    name,
    plain: door === 'tcp' && greeting === undefined,
    async begin(target: Target, effort: Effort) {
      const once = Buffer.concat(messages())
      const bytes = Buffer.concat(Array(Math.max(1, Math.round(PIECE / once.length))).fill(once))
      const crowd = new Crowd(
        () => dial(target, door),
        effort,
        (socket) => {
          if (greeting === undefined) return pour(socket, bytes, target.most, effort)
          socket.write(greeting)
          socket.once('data', () => pour(socket, bytes, target.most, effort))
        },
      )
      await crowd.gather(Math.ceil(connections * target.scale))
      return () => crowd.disperse()
    },
  }
}

const CALL = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
const bearer = (token: string) => post(CALL, [`Authorization: Bearer ${token}`])
const many = (of: () => Buffer) => () => Array.from({ length: 500 }, of)

function forged(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { siege: 'Admin', exp: Math.floor(Date.now() / 1000) + 3600, jti: String(Math.random()) }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', 'not the secret').update(signed).digest('base64url')}`
}

const batch = (call: string) => `[${Array(1000).fill(call).join()}]`
const withToken = () => JSON.stringify({ ...JSON.parse(CALL), params: { Token: mintSecret().reveal() } })

export const FLOODS: readonly Attack[] = [
  flood({ name: 'tiny lines', door: 'unix', connections: 8, messages: () => [Buffer.from('{}\n')] }),
  flood({
    name: 'tiny frames: [1]',
    door: 'tcp',
    connections: 8,
    greeting: UPGRADE,
    messages: () => [frame('[1]')],
  }),
  flood({
    name: 'tiny frames: {',
    door: 'tcp',
    connections: 8,
    greeting: UPGRADE,
    messages: () => [frame('{')],
  }),
  flood({
    name: 'pipelined GET /healthz',
    door: 'tcp',
    connections: 60,
    messages: () => [Buffer.from('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')],
  }),
  flood({
    name: 'unknown tokens',
    door: 'tcp',
    connections: 16,
    messages: many(() => bearer(mintSecret().reveal())),
  }),
  flood({ name: 'forged JWTs', door: 'tcp', connections: 16, messages: many(() => bearer(forged())) }),
  flood({
    name: 'unknown tokens, as lines',
    door: 'unix',
    connections: 8,
    messages: many(() => Buffer.from(`${withToken()}\n`)),
  }),
  flood({ name: 'batches of 1,000', door: 'tcp', connections: 16, messages: () => [post(batch(CALL))] }),
  flood({
    name: 'batches of unknown tokens',
    door: 'tcp',
    connections: 16,
    messages: () => [post(batch(withToken()))],
  }),
  flood({
    name: 'deep JSON',
    door: 'tcp',
    connections: 16,
    messages: () => [post('['.repeat(1_000_000)), post(`${'['.repeat(400_000)}${']'.repeat(400_000)}`)],
  }),
  flood({
    name: 'bodies beyond the limit',
    door: 'tcp',
    connections: 16,
    messages: () => [post(Buffer.alloc(2 * 1024 * 1024, ' '))],
  }),
  flood({
    name: 'WebSocket pings',
    door: 'tcp',
    connections: 8,
    greeting: UPGRADE,
    messages: () => [frame('ping', 0x9)],
  }),
]
