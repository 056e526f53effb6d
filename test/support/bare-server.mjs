import { createServer } from 'node:http'

/** Servers of Node's own that answer every request alike, on the Unix socket that they are told and on loopback: what the machine gives. */
const ANSWER = `{"jsonrpc":"2.0","id":1,"result":${JSON.stringify({ filling: 'x'.repeat(150) })}}`
function answer(req, res) {
  const chunks = []
  req.on('error', () => {})
  req.on('data', (chunk) => chunks.push(chunk))
  req.on('end', () => {
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': ANSWER.length })
    res.end(isJson(Buffer.concat(chunks).toString('utf8')) ? ANSWER : ANSWER.replaceAll('x', '-'))
  })
}

function isJson(text) {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const [unix, tcp] = [createServer(answer), createServer(answer)]
for (const server of [unix, tcp]) {
  server.keepAliveTimeout = 120_000
  server.on('clientError', (_error, socket) => socket.destroy())
}
unix.listen(process.argv[2], () =>
  tcp.listen(0, '127.0.0.1', () => process.stdout.write(`${tcp.address().port}\n`)),
)
