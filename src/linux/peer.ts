import type { Socket } from 'node:net'
import { type NativeFunction, openLibc } from './libc.ts'

const SOL_SOCKET = 1
const SO_PEERCRED = 17
/** The overflow uid: somebody from another user namespace, which is nobody in particular. */
const NOBODY_KNOWN = 65534

export interface Credentials {
  pid: number
  uid: number
  gid: number
}

let getsockopt: NativeFunction | undefined
const ucred = Buffer.alloc(12)
const length = [12]

/**
 * Who connected to a Unix socket, from SO_PEERCRED (unix(7)): typed numbers of the kernel as of connect(), about 1 µs.
 * Undefined where the kernel cannot be asked. Call it once, in the `connection` event.
 */
export function peerCredentials(socket: Socket): Credentials | undefined {
  const fd = descriptorOf(socket)
  const libc = openLibc()
  if (fd === undefined || libc === undefined) return undefined
  getsockopt ??= libc.declare(
    'int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)',
  )
  length[0] = ucred.length
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ucred, length) !== 0) return undefined
  const uid = ucred.readUInt32LE(4)
  if (uid === NOBODY_KNOWN) return undefined
  return { pid: ucred.readInt32LE(0), uid, gid: ucred.readUInt32LE(8) }
}

// Node has no public way to a socket's descriptor; a handle without one (a closed socket) makes the peer unknown.
function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd
  return typeof fd === 'number' && fd > 0 ? fd : undefined
}
