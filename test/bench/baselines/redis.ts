import { createServer } from 'node:http'
import { connect } from 'node:net'
import { listen } from './listening.ts'

const OK = '+OK\r\n'

/** node:http in front of redis: each call is a SET, answered when redis has it. Arguments: the value, our socket, redis's socket. */
const value = process.argv[2] as string
const redis = connect(process.argv[4] as string)
const waiting: (() => void)[] = []
let unsent = ''
let answers = ''
let keys = 0

/** What is set in the same turn goes out in one write. */
function set(): Promise<void> {
  if (unsent === '') setImmediate(flush)
  const key = `t/${String(++keys).padStart(19, '0')}`
  unsent += `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${Buffer.byteLength(value)}\r\n${value}\r\n`
  return new Promise((resolve) => waiting.push(resolve))
}

function flush(): void {
  redis.write(unsent)
  unsent = ''
}

redis.setEncoding('latin1').on('data', (text: string) => {
  answers += text
  for (; answers.startsWith(OK); answers = answers.slice(OK.length)) waiting.shift()?.()
  if (answers !== '' && !OK.startsWith(answers)) throw new Error(`redis: ${answers}`)
})

await listen(() =>
  createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', async () => {
      const { id } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { id: unknown }
      await set()
      const body = JSON.stringify({ jsonrpc: '2.0', result: 'OK', id })
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
      res.end(body)
    })
  }),
)
