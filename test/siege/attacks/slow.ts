import { UPGRADE } from '../../bench/load/connection.ts'
import type { Attack, Effort, Target } from './attack.ts'
import { Crowd, type Door, dial } from './sockets.ts'

/** Between two bytes of everybody, in milliseconds. */
const DRIP_MS = 50
/** So many as an address may have, with room for those who behave. */
const SENDERS = 220

/** Senders who never come to an end. */
function slow(name: string, door: Door, beginning: string | Buffer, drip: string): Attack {
  return {
    name,
    plain: typeof beginning === 'string' && door === 'tcp',
    async begin(target: Target, effort: Effort) {
      const crowd = new Crowd(
        () => dial(target, door),
        effort,
        (socket) => {
          socket.resume()
          socket.write(beginning)
        },
      )
      await crowd.gather(Math.ceil(SENDERS * target.scale))
      const timer = setInterval(() => {
        for (const socket of crowd.sockets) {
          if (!socket.writable) continue
          effort.bytes += drip.length
          socket.write(drip)
        }
      }, DRIP_MS)
      return () => {
        clearInterval(timer)
        crowd.disperse()
      }
    },
  }
}

const BODY =
  'POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n'

/** The head of a masked text frame of 100,000 bytes. */
const FRAME = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x01, 0x86, 0xa0, 0, 0, 0, 0])

export const SLOW: readonly Attack[] = [
  slow('slow headers', 'tcp', 'POST /api/ HTTP/1.1\r\nHost: a\r\nX-Slow: ', 'x'),
  slow('slow bodies', 'tcp', BODY, ' '),
  slow('slow lines', 'unix', '{"jsonrpc":"2.0","method":"', 'x'),
  slow('slow frames', 'tcp', Buffer.concat([Buffer.from(UPGRADE), FRAME]), 'x'),
]
