import { readFileSync, readlinkSync } from 'node:fs'
import type { Server, Socket } from 'node:net'
import { type NativeFunction, openLibc } from './libc.ts'

const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_PEERGROUPS = 59
/** The overflow uid: somebody from another user namespace, which is nobody in particular. */
const NOBODY_KNOWN = 65534
/** So many groups are read at the first try, which is nearly always enough. */
const USUAL_GROUPS = 64

export interface Credentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** Supplementary groups. */
  readonly groups: readonly number[]
}

let getsockopt: NativeFunction | undefined
const ucred = Buffer.alloc(12)
const length = [0]

/**
 * Who connected to a Unix socket, from SO_PEERCRED and SO_PEERGROUPS (unix(7)): typed numbers of the kernel as of
 * connect(), 3 µs. Undefined unless they are known for sure. Call it once, in the `connection` event.
 */
export function peerCredentials(socket: Socket): Credentials | undefined {
  const fd = descriptorOf(socket)
  if (fd === undefined || !canAskUnix()) return undefined
  if (read(fd, SO_PEERCRED, ucred) !== ucred.length) return undefined
  const uid = ucred.readUInt32LE(4)
  const groups = peerGroups(fd)
  if (uid === NOBODY_KNOWN || groups === undefined) return undefined
  return { pid: ucred.readInt32LE(0), uid, gid: ucred.readUInt32LE(8), groups }
}

/** Whether the kernel can be asked at all. Where it cannot, the mode of the socket's file is all there is. */
export function canAskUnix(): boolean {
  const libc = openLibc()
  if (libc === undefined) return false
  getsockopt ??= libc.declare(
    'int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)',
  )
  return true
}

function peerGroups(fd: number): number[] | undefined {
  let buffer = Buffer.alloc(4 * USUAL_GROUPS)
  let size = read(fd, SO_PEERGROUPS, buffer)
  if (size === undefined && (length[0] ?? 0) > buffer.length) {
    buffer = Buffer.alloc(length[0] as number) // ERANGE: the kernel has said how much it needs
    size = read(fd, SO_PEERGROUPS, buffer)
  }
  if (size === undefined) return undefined
  return Array.from({ length: size / 4 }, (_, at) => buffer.readUInt32LE(4 * at))
}

/** The length of the option's value; undefined: the kernel refused. */
function read(fd: number, option: number, into: Buffer): number | undefined {
  length[0] = into.length
  return getsockopt?.(fd, SOL_SOCKET, option, into, length) === 0 ? length[0] : undefined
}

// Node has no public way to it. Undefined for a closed socket, which makes the peer unknown.
export function descriptorOf(socket: Socket | Server): number | undefined {
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd
  return typeof fd === 'number' && fd > 0 ? fd : undefined
}

/**
 * Which program a process runs: the path of its executable, else the name it gives itself, else undefined (it is gone, or
 * the sandbox hides it). A description for people: a pid may be another process by now, and a name is chosen freely.
 */
export function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd()
    } catch {
      return undefined
    }
  }
}
