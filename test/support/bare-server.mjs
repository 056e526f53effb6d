import { createServer } from 'node:http'

/** A server of Node's own that answers every request alike, on the Unix socket that it is told: what the machine gives. */
const ANSWER = `{"jsonrpc":"2.0","id":1,"result":${JSON.stringify({ filling: 'x'.repeat(150) })}}`
const server = createServer((req, res) => {
  const chunks = []
  req.on('data', (chunk) => chunks.push(chunk))
  req.on('end', () => {
    if (chunks.length > 0) JSON.parse(Buffer.concat(chunks).toString('utf8'))
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': ANSWER.length }).end(ANSWER)
  })
})
server.keepAliveTimeout = 120_000
server.on('clientError', (_error, socket) => socket.destroy())
server.listen(process.argv[2], () => process.stdout.write('listening\n'))
