import { type NativeFunction, openLibc } from './libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
/** sun_path. */
const LONGEST_PATH = 107

/** Sends one datagram, without waiting. False: it did not get there. */
export type Send = (bytes: Buffer) => boolean

/**
 * A Unix datagram socket to one address (unix(7)), which Node has no way to. `@name` is in the abstract namespace.
 * Undefined where there is no such thing; whether somebody listens there shows when something is sent.
 */
export function openDatagram(path: string): Send | undefined {
  const libc = openLibc()
  if (libc === undefined || Buffer.byteLength(path) > LONGEST_PATH || !/^[/@]/.test(path)) return undefined
  const socket = libc.declare('int socket(int domain, int type, int protocol)')
  const sendto: NativeFunction = libc.declare(
    'ssize_t sendto(int fd, const void *buffer, size_t length, int flags, const void *address, uint32_t size)',
  )
  const fd = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0)
  if (fd < 0) return undefined
  const address = socketAddress(path)
  return (bytes) =>
    Number(sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length)) ===
    bytes.length
}

function socketAddress(path: string): Buffer {
  const abstract = path.startsWith('@')
  const name = Buffer.from(abstract ? `\0${path.slice(1)}` : `${path}\0`)
  const family = Buffer.alloc(2)
  family.writeUInt16LE(AF_UNIX)
  return Buffer.concat([family, name])
}
