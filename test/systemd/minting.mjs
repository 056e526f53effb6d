// Mints on four lines at once, each with a new connection per call, and appends what comes of each call to a file: an answer,
// or the system call that failed and why. Ends a little while after another file is there.
// Arguments: the socket, a call's body, the file of outcomes, the file that ends it.
import { appendFileSync, existsSync } from 'node:fs'
import { request } from 'node:http'

const [socketPath, body, outcomes, end] = process.argv.slice(2)
const AFTER_THE_END = 20

const call = {
  socketPath,
  path: '/api/',
  method: 'POST',
  agent: false,
  headers: { 'Content-Type': 'application/json' },
}

function mint() {
  return new Promise((resolve) => {
    const broken = ({ syscall, code }) => resolve(`${syscall} ${code}`)
    const asked = request(call, (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => resolve(text)).on('error', broken)
    })
    asked.on('error', broken).end(body)
  })
}

async function line() {
  for (let left = AFTER_THE_END; left > 0; ) {
    appendFileSync(outcomes, `${await mint()}\n`)
    if (existsSync(end)) left--
  }
}

for (let n = 0; n < 4; n++) void line()
