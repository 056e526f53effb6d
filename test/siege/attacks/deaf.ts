import { UPGRADE } from '../../bench/load/connection.ts'
import type { Attack, Effort, Target } from './attack.ts'
import { Crowd, type Door, dial, frame, post } from './sockets.ts'

/** Bytes that a deaf one sends in all: more than any buffer on the way holds. */
const ENOUGH = 8 * 1024 * 1024

/** Askers who never read an answer; those to these questions are several times as long. */
function deaf(name: string, door: Door, connections: number, greeting: string, question: Buffer): Attack {
  return {
    name,
    plain: door === 'tcp' && greeting === '',
    async begin(target: Target, effort: Effort) {
      const crowd = new Crowd(
        () => dial(target, door),
        effort,
        (socket) => {
          const ask = () => {
            for (let sent = 0; sent < ENOUGH; sent += question.length) {
              effort.bytes += question.length
              socket.write(question)
            }
          }
          if (greeting === '') {
            socket.pause()
            ask()
            return
          }
          socket.write(greeting)
          socket.once('data', () => {
            socket.pause()
            ask()
          })
        },
      )
      await crowd.gather(Math.ceil(connections * target.scale))
      return () => crowd.disperse()
    },
  }
}

const ONES = `[${Array(1000).fill('1').join()}]`

export const DEAF: readonly Attack[] = [
  deaf('deaf to HTTP', 'tcp', 24, '', post(ONES)),
  deaf('deaf to lines', 'unix', 24, '', Buffer.from(`${ONES}\n`)),
  deaf('deaf to WebSocket', 'tcp', 24, UPGRADE, frame(ONES)),
]
