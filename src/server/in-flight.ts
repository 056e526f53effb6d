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

/** Waits for fewer than `limit` calls to be under way. Until then nothing more is read, so that what waits is bounded. */
export async function turn(connection: Connection, socket: Socket, limit: number): Promise<void> {
  if (connection.inFlight < limit) return
  socket.pause()
  while (connection.inFlight >= limit) await new Promise<void>((resolve) => connection.waiting.push(resolve))
  if (connection.waiting.length === 0) socket.resume()
}
