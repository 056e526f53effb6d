import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Failure } from '../protocol/failures.ts'
import { encodeFailure } from '../protocol/jsonrpc.ts'
import { Pieces } from '../protocol/pieces.ts'
import { whenFree } from './in-flight.ts'
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

/** So many bytes of a stranger, and what comes behind them waits for its turn; what to read them costs, in milliseconds. */
const LARGE = 16 * 1024
const READING_MS = 0.005
/** To read a chunk of a single byte costs as much as so many bytes. */
const EACH_CHUNK = 4 * 1024

/** Reads a request's body. Nobody is called when it will not come: the client went away, or its 413 is under way. */
export function readBody(
  req: IncomingMessage,
  res: ServerResponse,
  { connection, limit }: { readonly connection: Connection; readonly limit: number },
  taker: BodyTaker,
): void {
  if (!connection.known) slowDown(req, connection)
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

/** Nothing more is read from the connection. What is read already comes on: a paused request would keep it, in all its chunks. */
function slowDown(req: IncomingMessage, connection: Connection): void {
  const { commons } = connection
  let read = 0
  req.on('data', ({ length }: Buffer) => {
    read += length + EACH_CHUNK
    if (read < LARGE || connection.queued) return
    commons.serve(connection, () => {
      commons.pay((READING_MS * read) / LARGE)
      read = 0
    })
    if (connection.queued) whenFree(connection, req.socket, 1, () => {})
  })
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
