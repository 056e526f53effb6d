import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { answer } from './answer.ts'
import { listen } from './listening.ts'

/** As long as the daemon keeps a connection on which nobody asks, in milliseconds. */
const IDLE_MS = 120_000

function serve(req: IncomingMessage, res: ServerResponse): void {
  if (req.method === 'GET') {
    res.writeHead(204)
    res.end()
    return
  }
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const body = answer(Buffer.concat(chunks).toString('utf8'))
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
    res.end(body)
  })
}

/** Bare node:http. */
await listen(() => {
  const server = createServer(serve)
  server.keepAliveTimeout = IDLE_MS
  return server
})
