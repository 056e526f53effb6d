import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Failure } from '../protocol/failures.ts'
import { encodeFailure } from '../protocol/jsonrpc.ts'

/** Bodies over the limit are read on and thrown away up to this many times the limit, so that the sender gets to see its 413. */
const DISCARDED = 16
/** And its connection is left to the client to end, for so many milliseconds. */
const LINGER_MS = 500

/**
 * A request's body as text; undefined when it will not come (the client went away, or its 413 is under way).
 * Throws `parse_error` when it is not UTF-8.
 */
export function readBody(
  req: IncomingMessage,
  res: ServerResponse,
  limit: number,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const give = () => {
      const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
      if (isUtf8(bytes)) resolve(bytes.toString('utf8'))
      else reject(new Failure('parse_error', 'The message is not valid UTF-8.'))
    }
    const refuse = () => {
      req.off('data', take).off('end', give)
      refuseTooLarge(req, res, limit)
      resolve(undefined)
    }
    const take = (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) refuse()
      else chunks.push(chunk)
    }
    if (Number(req.headers['content-length'] ?? 0) > limit) {
      refuse()
      return
    }
    req.on('data', take).on('end', give)
    req.on('close', () => resolve(undefined)) // too late to matter after 'end'
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
