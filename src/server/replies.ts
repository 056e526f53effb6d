import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Failure } from '../protocol/failures.ts'
import { encodeFailure } from '../protocol/jsonrpc.ts'
import type { Reply } from './exchange.ts'
import { afterLatest } from './in-flight.ts'
import type { Connection, Origin } from './origin.ts'

/**
 * The head of a reply. Tokens are among the answers: nobody on the way may keep them. As a list, since field by field it
 * would be a map in between. `expiresIn`: milliseconds until the token that made the call ends, where that is soon.
 */
export function headOf(
  fields: Readonly<Record<string, string>> | undefined,
  expiresIn: number | undefined,
): string[] {
  const head = ['Cache-Control', 'no-store']
  for (const name in fields) head.push(name, fields[name] as string)
  if (expiresIn !== undefined)
    head.push('Postern-Token-Expires-In', String(Math.max(0, Math.ceil(expiresIn / 1000))))
  return head
}

/** An answer of the exchange. */
export function sendReply(
  res: ServerResponse,
  { status, body, headers }: Reply,
  { expiresIn, connection }: Origin,
): void {
  if (res.destroyed || res.headersSent) return // nobody is there any more, or a refusal has come first
  const head = body === undefined ? headOf(headers, expiresIn) : jsonHead(body, headers, expiresIn)
  connection.outbox.end(res.writeHead(status, head), body)
}

function jsonHead(body: string, fields: Reply['headers'], expiresIn?: number): string[] {
  const head = headOf(fields, expiresIn)
  head.push('Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body)))
  return head
}

/** A refusal of HTTP itself, worded as a JSON-RPC error too. HEAD is given the headers alone. */
export function sendFailure(req: IncomingMessage, res: ServerResponse, failure: Failure): void {
  if (res.destroyed || res.headersSent) return
  const body = encodeFailure(failure)
  const head = jsonHead(body, failure.headers)
  res.writeHead(failure.status, head).end(req.method === 'HEAD' ? undefined : body)
}

/** How long a connection may take to end after a refusal, in milliseconds. */
const LINGER_MS = 500

/**
 * Where there is no response object: a request that could not be parsed, or a refused upgrade or connection. The
 * connection ends, but not under the sender's hands: what still arrives is thrown away, so that the answer gets through.
 */
export function sendRaw(socket: Socket, failure: Failure): void {
  if (socket.writableEnded) return // a second fault of the same bytes
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = encodeFailure(failure)
  const fields = [...jsonHead(body, failure.headers), 'Connection', 'close']
  const lines = fields.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`))
  const head = `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}\r\n${lines.join('')}\r\n`
  endGently(socket, head + body)
}

/** Ends a connection when what is due has gone out, whatever still arrives. */
function endGently(socket: Socket, last = ''): void {
  if (socket.writableEnded) return
  socket.end(last)
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

/** Refuses what could not be parsed, or took too long to arrive: behind the answers that are still due. */
export function refuseBytes(socket: Socket, connection: Connection, failure: Failure): void {
  if (connection.refused) return // each further piece of the same bytes
  connection.refused = true
  const { latest, outbox } = connection
  // In a moment of its own: where the latest answer was the connection's last, Node ends it only then.
  if (latest === undefined || latest.req.complete)
    afterLatest(connection, () => process.nextTick(sendRaw, socket, failure))
  else if (latest.headersSent) {
    outbox.flush()
    latest.end() // a 413 waits for the end of the body, which will not come
    afterLatest(connection, () => endGently(socket))
  } else sendFailure(latest.req, latest.setHeader('Connection', 'close'), failure) // it is this request's own
}
