import { createServer } from 'node:http'

const REFUSED = '{"error":"unauthorized"}'

/** node:http with a Bearer token in front of it: `verify` gives what is answered, or undefined. */
export function serveBare(verify) {
  return createServer((req, res) => {
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', async () => {
      JSON.parse(Buffer.concat(chunks).toString('utf8'))
      const answer = await verify(req.headers.authorization?.slice('Bearer '.length) ?? '')
      const body = answer === undefined ? REFUSED : JSON.stringify(answer)
      const status = answer === undefined ? 401 : 200
      res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
      res.end(body)
    })
  }).listen(0, '127.0.0.1')
}
