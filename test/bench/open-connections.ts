import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Daemon, Scope } from '../support/daemon.ts'
import { open } from '../support/talk.ts'

/** A user may have 64 of them. */
const WATCHES = 50
const CLOSE_FRAME = 0x88
/** An empty closing, masked with zeros. */
const GOODBYE = Buffer.from([CLOSE_FRAME, 0x80, 0, 0, 0, 0])

/** Opens connections that rest on a token: watches over newline JSON, and WebSockets. Tells when the last of them is closed. */
export async function openConnections(
  scope: Scope,
  daemon: Daemon,
  token: string,
  count: number,
): Promise<{ readonly allClosed: Promise<number>; drop(): void }> {
  const closed: Promise<number>[] = []
  const sockets: Socket[] = []
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  scope.after(drop)
  for (let opened = 0; opened < count; opened++) {
    const socket = opened < WATCHES ? await watching(daemon, token) : await upgraded(daemon, token)
    sockets.push(socket)
    closed.push(once(socket, 'close').then(() => performance.now()))
  }
  return { allClosed: Promise.all(closed).then((times) => Math.max(...times)), drop }
}

async function upgraded(daemon: Daemon, token: string): Promise<Socket> {
  const socket = open(daemon)
  const lines = [
    'GET /api/ HTTP/1.1',
    'Host: localhost',
    `Authorization: Bearer ${token}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  await begins(socket, 'HTTP/1.1 101 ')
  socket.on('data', (frame) => {
    if (frame[0] === CLOSE_FRAME) socket.end(GOODBYE)
  })
  return socket
}

async function watching(daemon: Daemon, token: string): Promise<Socket> {
  const socket = open(daemon)
  socket.write(`{"jsonrpc":"2.0","id":1,"method":"token.watch","params":{"Token":"${token}"}}\n`)
  await begins(socket, '{"jsonrpc":"2.0","result":')
  socket.on('data', () => {}).on('end', () => socket.end())
  return socket
}

async function begins(socket: Socket, beginning: string): Promise<void> {
  const [answer] = (await once(socket, 'data')) as [Buffer]
  if (!answer.toString('latin1').startsWith(beginning)) throw new Error(`answered: ${answer}`)
}
