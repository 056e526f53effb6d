import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { WebSocketServer } from 'ws'
import type { Heard, Kind } from './upstreams.ts'

/** What a server knows about a message, and can do about it. */
export type Way = Pick<Heard, 'reply' | 'drop' | 'gone' | 'headers'>

/** Ways to those who are connected. */
export type Voices = Set<(message: string) => void>

export function webServer(kind: Kind, take: (text: string, way: Way) => void, voices: Voices): () => Server {
  return () => {
    const server = createHttpServer(async (req, res) => {
      const chunks: Buffer[] = []
      const gone = new Promise<void>((resolve) => res.on('close', () => resolve()))
      for await (const chunk of req) chunks.push(chunk as Buffer)
      const drop = () => {
        res.writeHead(200, { 'Content-Length': 100 })
        res.write('{"jsonrpc"', () => req.socket.destroy())
      }
      const way = {
        headers: req.headers,
        gone,
        drop,
        reply: (message: string | Buffer) => void res.end(message),
      }
      take(Buffer.concat(chunks).toString('utf8'), way)
    })
    if (kind === 'ws')
      new WebSocketServer({ server }).on('connection', (ws, { headers, socket }) => {
        const reply = (message: string | Buffer) => ws.send(message, { binary: false })
        voices.add(reply)
        const gone = new Promise<void>((resolve) => ws.on('close', () => resolve()))
        void gone.then(() => voices.delete(reply))
        const drop = () =>
          void socket.write(Buffer.from([0x81, 0x7e, 0x10, 0x00, 0x7b]), () => socket.destroy())
        ws.on('error', () => {}).on('message', (data) => take(String(data), { headers, gone, reply, drop }))
      })
    return server
  }
}

export function lineServer(take: (text: string, way: Way) => void, voices: Voices): () => Server {
  return () =>
    createServer((socket) => {
      const reply = (message: string | Buffer) => {
        socket.cork()
        socket.write(message)
        socket.write('\n')
        socket.uncork()
      }
      voices.add(reply)
      const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()))
      void gone.then(() => voices.delete(reply))
      const drop = () => void socket.write('{"jsonrpc"', () => socket.destroySoon())
      let rest = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        const texts = (rest + chunk).split('\n')
        rest = texts.pop() ?? ''
        for (const text of texts) take(text.trimEnd(), { headers: {}, gone, reply, drop })
      })
    })
}
