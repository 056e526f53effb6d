import { createServer, type Socket } from 'node:net'
import { answer } from './answer.ts'
import { listen } from './listening.ts'

const NEWLINE = 0x0a

/** Bare node:net: lines split by hand, one write for all that came together. */
function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    let answers = ''
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, from)) {
      answers += `${answer(data.toString('utf8', from, end))}\n`
      from = end + 1
    }
    rest = data.subarray(from)
    if (answers !== '') socket.write(answers)
  })
  socket.on('error', () => {})
}

await listen(() => createServer({ noDelay: true }, serve))
