import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { answer } from './answer.ts'
import { listen } from './listening.ts'

/** Bare ws: each message is parsed and answered. */
await listen(() => {
  const server = createServer()
  new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (ws) => {
    ws.on('error', () => {})
    ws.on('message', (data) => ws.send(answer(String(data))))
  })
  return server
})
