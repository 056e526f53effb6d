import type { Socket } from 'node:net'
import type { Connection } from './origin.ts'

/** Counts calls as under way on their connection. */
export function begin(connection: Connection, calls: number): void {
  connection.inFlight += calls
}

export function end(connection: Connection, calls: number): void {
  connection.inFlight -= calls
  connection.waiting.shift()?.()
}

/**
 * Whether a connection has enough to do: calls under way, one that waits for its turn, or answers that the other side
 * does not read. For strangers one call at a time is enough.
 */
export function isBusy(connection: Connection, socket: Socket, limit: number): boolean {
  const { inFlight, queued, known } = connection
  return inFlight >= (known ? limit : 1) || queued || socket.writableNeedDrain
}

/** Waits until a connection is not busy any more. Until then nothing more is read, so that what waits is bounded. */
export async function turn(connection: Connection, socket: Socket, limit: number): Promise<void> {
  while (isBusy(connection, socket, limit)) {
    // Not at once: Node resumes the socket itself with each message that is complete, so the pause has to come after what
    // it does with the bytes at hand, and before the next ones are read.
    queueMicrotask(() => {
      if (connection.waiting.length > 0) socket.pause()
    })
    if (socket.writableNeedDrain && !connection.awaitsDrain) {
      connection.awaitsDrain = true
      socket.once('drain', () => {
        connection.awaitsDrain = false
        connection.waiting.shift()?.()
      })
    }
    await new Promise<void>((resolve) => connection.waiting.push(resolve))
  }
  if (connection.waiting.length === 0) socket.resume()
  else connection.waiting.shift()?.()
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
