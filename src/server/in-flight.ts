import type { Socket } from 'node:net'
import type { Connection } from './origin.ts'

/** Counts calls as under way on their connection. */
export function begin(connection: Connection, calls: number): void {
  connection.inFlight += calls
}

export function end(connection: Connection, calls: number): void {
  connection.inFlight -= calls
  connection.wake()
}

/**
 * Whether a connection has enough to do: calls under way, one that waits for its turn, or answers that the other side
 * does not read. For strangers one call at a time is enough.
 */
export function isBusy(connection: Connection, socket: Socket, limit: number): boolean {
  const { inFlight, queued, known } = connection
  return inFlight >= (known ? limit : 1) || queued || socket.writableNeedDrain
}

/**
 * Goes on when a connection is not busy; until then nothing more is read, so that what waits is bounded. What waits goes
 * on in the order in which it came.
 */
export function whenFree(connection: Connection, socket: Socket, limit: number, goOn: () => void): void {
  if (connection.waiting.length === 0 && !isBusy(connection, socket, limit)) {
    goOn()
    return
  }
  connection.waiting.push(goOn)
  if (connection.waiting.length > 1) return
  hold(connection, socket)
  connection.wake = () => release(connection, socket, limit)
}

function hold(connection: Connection, socket: Socket): void {
  // Not under the parser's hands: were the bytes at hand to end in an upgrade, nobody would begin to read again.
  queueMicrotask(() => connection.waiting.length > 0 && socket.pause())
  guard(connection, socket)
  if (!socket.writableNeedDrain || connection.awaitsDrain) return
  connection.awaitsDrain = true
  socket.once('drain', () => {
    connection.awaitsDrain = false
    connection.wake()
  })
}

/** Node resumes it by itself with each message that is complete, each body that is read, and each that is left unread. */
export function guard(connection: Connection, socket: Socket): void {
  if (connection.guarded) return
  connection.guarded = true
  socket.on('resume', () => {
    if (connection.switching || connection.waiting.length > 0) socket.pause()
  })
}

function release(connection: Connection, socket: Socket, limit: number): void {
  const { waiting } = connection
  if (waiting.length === 0) return // it is woken by what it has itself begun
  while (waiting.length > 0 && !isBusy(connection, socket, limit)) (waiting.shift() as () => void)()
  if (waiting.length > 0) hold(connection, socket)
  else socket.resume()
}

/** Goes on when the newest request on a connection, and so every earlier one, is answered. */
export function afterLatest({ latest }: Connection, goOn: () => void): void {
  if (latest === undefined || latest.writableFinished) goOn()
  else {
    const answered = () => {
      latest.off('finish', answered).off('close', answered)
      goOn()
    }
    latest.on('finish', answered).on('close', answered)
  }
}
