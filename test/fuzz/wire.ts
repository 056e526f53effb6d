import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Daemon } from '../support/daemon.ts'
import { Address, type RemotePlace } from '../support/remote.ts'
import { open } from '../support/talk.ts'

/** For a connection that nobody ends: a bound, not a measurement. */
const PATIENCE_MS = 20_000

/** Where the bytes go. */
export type Place =
  | { readonly daemon: Daemon; readonly door: 'unix' | 'tcp' }
  | { readonly remote: RemotePlace }

/** All that came back on a connection. */
export interface Heard {
  readonly bytes: Buffer
  /** It was reset, so that the last bytes may have been lost on the way. */
  readonly reset: boolean
}

/** A connection whose ends are closed one by one. */
export async function reach(place: Place): Promise<Duplex> {
  const socket = socketTo(place)
  const secure = 'remote' in place && place.remote instanceof Address && place.remote.ca !== undefined
  await once(socket, secure ? 'secureConnect' : 'connect')
  return socket
}

function socketTo(place: Place): Duplex {
  if ('door' in place) return open(place.daemon, place.door)
  const { remote } = place
  if (typeof remote === 'string') return connect({ path: remote, allowHalfOpen: true })
  const options = { ...remote.options, allowHalfOpen: true }
  return remote.ca === undefined ? connect(options) : connectTls(options)
}

/** Says the pieces one after the other, and no more; hears all that comes until the other side ends it. */
export async function sayAll(socket: Duplex, pieces: readonly Buffer[]): Promise<Heard> {
  const hearing = hear(socket)
  for (const piece of pieces) {
    if (socket.writable && piece.length > 0) socket.write(piece)
    await nextTurn()
  }
  socket.end()
  return hearing
}

export function hear(socket: Duplex): Promise<Heard> {
  const chunks: Buffer[] = []
  let reset = false
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the connection was not ended; until then came ${show(Buffer.concat(chunks))}`))
    }, PATIENCE_MS)
    const finish = () => {
      clearTimeout(timer)
      resolve({ bytes: Buffer.concat(chunks), reset })
    }
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => void socket.end())
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') reset = true
      else reject(error)
    })
    socket.on('close', finish)
  })
}

/** Bytes for a message that somebody has to read. */
export function show(bytes: Buffer, most = 3000): string {
  const text = JSON.stringify(bytes.toString('latin1'))
  return text.length <= most ? text : `${text.slice(0, most)}… (${bytes.length} bytes)`
}
