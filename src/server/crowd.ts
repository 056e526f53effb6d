import type { IncomingMessage, ServerResponse } from 'node:http'
import { tooMany } from '../protocol/failures.ts'
import type { Connection } from './origin.ts'
import { sendFailure } from './replies.ts'
import { readInSlices } from './slices.ts'

/** Requests of a stranger that may wait on a connection before it is read more slowly. */
const USUAL = 16

/**
 * Whether a stranger's request may wait behind those that wait on its connection already. Of too many the first is
 * answered, and ends the connection; what was sent behind it is not looked at.
 */
export function mayWait(connection: Connection, req: IncomingMessage, res: ServerResponse): boolean {
  const { waiting, commons, crowded } = connection
  if (crowded) return false
  if (waiting.length === USUAL) readInSlices(req.socket, () => waiting.length > 0)
  if (!commons.isCrowdedBy(connection)) return true
  connection.crowded = true
  const failure = tooMany('Too many of your requests wait: send a few at a time.', 1)
  sendFailure(req, res.setHeader('Connection', 'close'), failure)
  return false
}
