import { Complaint } from '../protocol/complaint.ts'
import { openLibc } from './libc.ts'

/** Sockets that systemd has opened for us come as descriptors from this one on (sd_listen_fds(3)). */
const FIRST = 3

/** Inherited descriptors by the name that their .socket unit gives them (FileDescriptorName=). */
export interface Inherited {
  /** Unix sockets for local callers. */
  readonly unix: readonly number[]
  /** Loopback ports. */
  readonly tcp: readonly number[]
  /** Ports and sockets for the remote door. */
  readonly remote: readonly number[]
  /** The netlink socket that answers who is on the other end of a loopback connection. */
  readonly diag: readonly number[]
}

type Environment = Record<string, string | undefined>

/**
 * What systemd handed over by socket activation. The variables are taken out of the environment, so that no child takes
 * the descriptors for its own. Throws Complaint for a name that nobody knows: a socket that is not served would hang its clients.
 */
export function takeInherited(env: Environment = process.env): Inherited {
  const { LISTEN_PID, LISTEN_FDS = '0', LISTEN_FDNAMES = '' } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  const inherited = {
    unix: [] as number[],
    tcp: [] as number[],
    remote: [] as number[],
    diag: [] as number[],
  }
  if (Number(LISTEN_PID) !== process.pid) return inherited
  const names = LISTEN_FDNAMES.split(':')
  for (let at = 0; at < Number(LISTEN_FDS); at++) {
    const name = names[at] ?? ''
    if (!Object.hasOwn(inherited, name)) throw unknownName(name)
    inherited[name as keyof Inherited].push(FIRST + at)
  }
  return inherited
}

function unknownName(name: string): Complaint {
  return new Complaint(
    `systemd hands over a socket named "${name}"`,
    'set FileDescriptorName= of its unit to unix, tcp, remote or diag',
  )
}

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10

/** Where an inherited socket listens, as getsockname(2) tells. Undefined: neither a port nor a path. */
export function addressOf(fd: number): { path: string } | { host: string; port: number } | undefined {
  const getsockname = openLibc()?.declare(
    'int getsockname(int fd, _Out_ void *address, _Inout_ uint32_t *length)',
  )
  const address = Buffer.alloc(128)
  const length = [address.length]
  if (getsockname?.(fd, address, length) !== 0) return undefined
  switch (address.readUInt16LE(0)) {
    case AF_UNIX:
      return { path: address.toString('utf8', 2, length[0]).replace(/\0.*$/s, '') }
    case AF_INET:
      return { host: address.subarray(4, 8).join('.'), port: address.readUInt16BE(2) }
    case AF_INET6:
      return { host: inV6Words(address.subarray(8, 24)), port: address.readUInt16BE(2) }
    default:
      return undefined
  }
}

/** In the shortest form (RFC 5952), which is how people write it. */
function inV6Words(bytes: Buffer): string {
  const words = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16))
  return new URL(`http://[${words.join(':')}]/`).hostname.slice(1, -1)
}
