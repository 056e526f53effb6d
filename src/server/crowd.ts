import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Failure, tooMany } from '../protocol/failures.ts'
import type { Connection } from './origin.ts'
import { sendFailure } from './replies.ts'

/**
 * Whether a stranger's request may wait behind those that wait on its connection already. Of too many the first is
 * answered, and ends the connection; what was sent behind it is not looked at.
 */
export function mayWait(connection: Connection, req: IncomingMessage, res: ServerResponse): boolean {
  const { commons, crowded } = connection
  if (crowded) return false
  if (!commons.isCrowdedBy(connection)) return true
  connection.crowded = true
  sendFailure(req, res.setHeader('Connection', 'close'), tooManyWait())
  return false
}

export function tooManyWait(): Failure {
  return tooMany('Too many of your requests wait: send a few at a time.', 1)
}
