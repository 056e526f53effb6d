import type { Socket } from 'node:net'

/** Bytes. Of the smallest requests some hundred, and as many objects. */
const SLICE = 4 * 1024

const listeners = new WeakMap<Socket, (chunk: Buffer) => void>()

/**
 * From now on Node's HTTP parser is given what arrives on a connection a little at a time, and nothing while `isHeld`.
 * By itself it takes whole chunks from the kernel, and turns each into as many requests as there are in it, whoever waits.
 */
export function readInSlices(socket: Socket, isHeld: () => boolean): void {
  if (listeners.has(socket)) return
  listeners.set(socket, () => {})
  // Not under the parser's hands: it is just taking a chunk.
  setImmediate(() => {
    const [feed] = socket.listeners('data')
    if (feed === undefined || socket.destroyed) return
    const take = (chunk: Buffer) => {
      feed.call(socket, chunk.subarray(0, SLICE))
      if (isHeld()) socket.pause()
      if (chunk.length > SLICE && !socket.destroyed) socket.unshift(chunk.subarray(SLICE))
    }
    listeners.set(socket, take)
    socket.on('data', take).off('data', feed as (chunk: Buffer) => void)
  })
}

/** Leaves the connection to another protocol. */
export function endSlices(socket: Socket): void {
  const take = listeners.get(socket)
  if (take !== undefined) socket.off('data', take)
  listeners.delete(socket)
}
