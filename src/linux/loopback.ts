import { isIPv4, isIPv6 } from 'node:net'
import { Mutex, mutexMemory } from '../protocol/mutex.ts'
import { type NativeFunction, openLibc } from './libc.ts'

/** One end of a TCP connection. */
export interface Endpoint {
  address: string
  port: number
}

const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const NETLINK_SOCK_DIAG = 4
const SOCK_DIAG_BY_FAMILY = 20
const NLMSG_ERROR = 2
const NLM_F_REQUEST = 1
const IPPROTO_TCP = 6
const MSG_DONTWAIT = 0x40
const TCP_ESTABLISHED = 1
const ANY = 0xffffffff

/** Layout of the request: nlmsghdr (16 bytes), then inet_diag_req_v2 (56). Of the answer: nlmsghdr, then inet_diag_msg. */
const HEADER = 16
const REQUEST = HEADER + 56
const ANSWER_STATE = HEADER + 1
const ANSWER_UID = HEADER + 64
const ANSWER_INODE = HEADER + 68
const ANSWER_LENGTH = HEADER + 72

/** What threads share that ask through one socket: whose turn it is, and the number of the last question. */
export interface NetlinkMemory {
  readonly mutex: SharedArrayBuffer
  readonly sequence: SharedArrayBuffer
}

export function netlinkMemory(): NetlinkMemory {
  return { mutex: mutexMemory(), sequence: new SharedArrayBuffer(Uint32Array.BYTES_PER_ELEMENT) }
}

interface Netlink {
  readonly fd: number
  readonly mutex: Mutex
  readonly sequence: Uint32Array
  readonly send: NativeFunction
  readonly recv: NativeFunction
}

let opened: Netlink | null | undefined

/**
 * The uid that owns the far end of a loopback TCP connection, asked of the kernel by NETLINK_SOCK_DIAG (sock_diag(7)),
 * 8–10 µs. Undefined unless it is known for sure: established, with an inode (an orphaned socket shows as uid 0 and
 * inode 0, so a client that sends and closes at once would look like root), and not the overflow uid.
 * `near` is our end, `far` the client's. Call it once, in the `connection` event.
 */
export function loopbackPeerUid(near: Endpoint, far: Endpoint): number | undefined {
  const netlink = openNetlink()
  return netlink?.mutex.run(() => ask(netlink, near, far)) // or one thread would read another one's answer
}

function ask(netlink: Netlink, near: Endpoint, far: Endpoint): number | undefined {
  const sequence = (Atomics.add(netlink.sequence, 0, 1) + 1) >>> 0
  const request = lookup(near, far, sequence)
  if (request === undefined || netlink.send(netlink.fd, request, request.length, 0) !== request.length)
    return undefined
  const answer = Buffer.alloc(512)
  // The kernel answers within send(), so there is nothing to wait for.
  const size = Number(netlink.recv(netlink.fd, answer, answer.length, MSG_DONTWAIT))
  if (size < ANSWER_LENGTH || answer.readUInt16LE(4) === NLMSG_ERROR) return undefined
  // Were an answer ever left behind in the socket, it must not speak for the next connection.
  if (answer.readUInt32LE(8) !== sequence || answer.readUInt16BE(HEADER + 4) !== far.port) return undefined
  if (answer[ANSWER_STATE] !== TCP_ESTABLISHED || answer.readUInt32LE(ANSWER_INODE) === 0) return undefined
  const uid = answer.readUInt32LE(ANSWER_UID)
  return uid === 65534 ? undefined : uid
}

/** Whether the kernel can be asked at all; `postern status` and the log say so. */
export function canAskLoopback(): boolean {
  return openNetlink() !== undefined
}

/**
 * Asks through a netlink socket that systemd has opened (ListenNetlink=inet-diag 0): one of our own would look into the
 * empty network namespace of the sandbox, or not be allowed at all. `memory`: with whom else it is shared.
 */
export function adoptNetlink(fd: number, memory?: NetlinkMemory): void {
  opened = speakThrough(fd, memory)
}

function openNetlink(): Netlink | undefined {
  if (opened === undefined) opened = connectNetlink()
  return opened ?? undefined
}

function connectNetlink(): Netlink | null {
  const socket = openLibc()?.declare('int socket(int domain, int type, int protocol)')
  const fd = socket?.(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG) ?? -1
  return fd < 0 ? null : speakThrough(fd)
}

function speakThrough(fd: number, memory = netlinkMemory()): Netlink | null {
  const libc = openLibc()
  if (libc === undefined) return null
  return {
    fd,
    mutex: new Mutex(memory.mutex),
    sequence: new Uint32Array(memory.sequence),
    send: libc.declare('ssize_t send(int fd, const void *buffer, size_t length, int flags)'),
    recv: libc.declare('ssize_t recv(int fd, _Out_ void *buffer, size_t length, int flags)'),
  }
}

/** An exact lookup of the client's own socket: its source is our far end. */
function lookup(near: Endpoint, far: Endpoint, sequence: number): Buffer | undefined {
  const source = addressBytes(far.address)
  const destination = addressBytes(near.address)
  if (source === undefined || destination === undefined || source.length !== destination.length)
    return undefined
  const request = Buffer.alloc(REQUEST)
  request.writeUInt32LE(REQUEST, 0)
  request.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4)
  request.writeUInt16LE(NLM_F_REQUEST, 6)
  request.writeUInt32LE(sequence, 8)
  request[HEADER] = source.length === 4 ? AF_INET : AF_INET6
  request[HEADER + 1] = IPPROTO_TCP
  request.writeUInt32LE(ANY, HEADER + 4) // states
  request.writeUInt16BE(far.port, HEADER + 8)
  request.writeUInt16BE(near.port, HEADER + 10)
  source.copy(request, HEADER + 12)
  destination.copy(request, HEADER + 28)
  request.writeUInt32LE(ANY, HEADER + 48) // cookie: any
  request.writeUInt32LE(ANY, HEADER + 52)
  return request
}

/** Loopback addresses only, as Node prints them: 127.x.x.x, ::1, and ::ffff:127.x.x.x. */
function addressBytes(address: string): Buffer | undefined {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  if (isIPv4(plain) && plain.startsWith('127.')) return Buffer.from(plain.split('.').map(Number))
  if (isIPv6(plain) && plain === '::1') return Buffer.concat([Buffer.alloc(15), Buffer.from([1])])
  return undefined
}
