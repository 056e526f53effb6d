import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Failure } from '../protocol/failures.ts'
import { encodeFailure } from '../protocol/jsonrpc.ts'
import { Pieces } from '../protocol/pieces.ts'
import type { Connection } from './origin.ts'

/** Bodies over the limit are read on and thrown away up to this many times the limit, so that the sender gets to see its 413. */
const DISCARDED = 16
/** And its connection is left to the client to end, for so many milliseconds. */
const LINGER_MS = 500

/** What is done with a body: with its text, or with the `parse_error` of one that is not UTF-8. */
export interface BodyTaker {
  readonly take: (text: string) => void
  readonly refuse: (failure: Failure) => void
}

/** Bytes of a chunk from which on a stranger's next one waits for its turn, and what to read one costs, in milliseconds. */
const LARGE = 16 * 1024
const READING_MS = 0.02

/** Reads a request's body. Nobody is called when it will not come: the client went away, or its 413 is under way. */
export function readBody(
  req: IncomingMessage,
  res: ServerResponse,
  { connection, limit }: { readonly connection: Connection; readonly limit: number },
  taker: BodyTaker,
): void {
  if (!connection.known) req.on('data', (chunk: Buffer) => slowDown(req, connection, chunk))
  if (Number(req.headers['content-length'] ?? 0) > limit) {
    refuseTooLarge(req, res, limit)
    return
  }
  const pieces = new Pieces()
  const collect = (chunk: Buffer) => {
    pieces.add(chunk)
    if (pieces.size <= limit) return
    req.off('data', collect).off('end', finish)
    if (res.headersSent) return // what came behind, in the same packet, was malformed and is refused already
    refuseTooLarge(req, res, limit)
  }
  const finish = () => {
    const bytes = pieces.take()
    if (isUtf8(bytes)) taker.take(bytes.toString('utf8'))
    else taker.refuse(new Failure('parse_error', 'The message is not valid UTF-8.'))
  }
  req.on('data', collect).on('end', finish)
}

function slowDown(req: IncomingMessage, connection: Connection, { length }: Buffer): void {
  if (length < LARGE || connection.queued) return
  req.pause()
  connection.commons.pay(READING_MS)
  connection.commons.serve(connection, () => req.resume())
}

/**
 * Answers 413 at once, but ends the connection only when the rest has arrived or too much of it has: closing it under a
 * sender's hands resets the connection, and the answer would be lost with it.
 */
function refuseTooLarge(req: IncomingMessage, res: ServerResponse, limit: number): void {
  const body = encodeFailure(
    new Failure('invalid_request', `The body is larger than ${limit} bytes.`, { http: 'too_large' }),
  )
  res.writeHead(413, {
    Connection: 'close',
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  })
  res.write(body)
  let discarded = 0
  req.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > DISCARDED * limit) req.destroy()
  })
  req.on('end', () => {
    // The client ends it first, if it minds its manners; were we to, its own last (empty) write could fail.
    const timer = setTimeout(() => res.end(), LINGER_MS)
    req.socket.once('end', () => {
      clearTimeout(timer)
      res.end()
    })
  })
}
