import type { Server } from 'node:net'
import type { Logger } from 'pino'
import { addressOf, type Inherited } from '../linux/activation.ts'
import { Complaint, codeOf, inWords } from '../protocol/complaint.ts'
import { BACKLOG } from './backlog.ts'
import { listenOnLoopback } from './loopback-listener.ts'
import { isOfThisHost, type Place } from './place.ts'
import { listenOnUnix, type UnixAddress } from './unix-listener.ts'

/** Makes a server for one of the local doors. */
export interface LocalServers {
  readonly tcp: () => Server
  readonly unix: () => Server
}

export interface LocalPlaces {
  readonly unix: UnixAddress
  readonly port: number
}

export interface LocalListeners {
  /** Undefined: systemd was told to open none. */
  readonly port: number | undefined
  /** Takes our own socket away; one that systemd has opened is systemd's. */
  readonly removeSocket: () => void
}

/** Opens the local doors, or takes those that systemd has opened: then exactly these. Throws Complaint. */
export async function openLocal(
  create: LocalServers,
  { unix, port }: LocalPlaces,
  inherited: Inherited,
  log: Logger,
): Promise<LocalListeners> {
  if (inherited.unix.length + inherited.tcp.length > 0) {
    let inheritedPort: number | undefined
    for (const fd of inherited.tcp) {
      refuseNetwork(fd)
      inheritedPort = await listenOnDescriptor(create.tcp(), fd)
    }
    for (const fd of inherited.unix) {
      refusePort(fd)
      await listenOnDescriptor(create.unix(), fd)
    }
    return { port: inheritedPort, removeSocket: () => {} }
  }
  const loopback = await listenOnLoopback(create.tcp, port, log)
  // The last one, since its appearance says that the daemon is there.
  const removeSocket = await listenOnUnix(create.unix(), unix)
  return { port: loopback.port, removeSocket }
}

/** The remote door: on a socket that systemd has opened for this very place, or on one of our own. Throws Complaint. */
export async function openRemote(
  server: Server,
  place: Place,
  { mode, group }: Omit<UnixAddress, 'path'>,
  inherited: Inherited,
): Promise<() => void> {
  const fd = inherited.remote.find((candidate) => samePlace(addressOf(candidate), place))
  if (fd !== undefined) await listenOnDescriptor(server, fd)
  else if ('path' in place) return listenOnPath(server, { path: place.path, mode, group })
  else await listenOnAddress(server, place)
  return () => {}
}

const BY_SYSTEMD = 'under systemd the port is opened by a socket unit: see postern-remote.socket'

/** Without TLS, and with its callers taken for ones of this host. */
function refuseNetwork(fd: number): void {
  const place = addressOf(fd)
  if (place !== undefined && isOfThisHost(place)) return
  throw new Complaint(
    'systemd hands over a socket named "tcp" that can be reached from elsewhere',
    'listen on 127.0.0.1 and [::1], or name it remote, with a [[remote]] in the configuration',
  )
}

function refusePort(fd: number): void {
  const place = addressOf(fd)
  if (place === undefined || 'path' in place || isOfThisHost(place)) return
  throw new Complaint(
    'systemd hands over a port named "unix" that can be reached from elsewhere',
    'name it remote',
  )
}

function samePlace(found: Place | undefined, place: Place): boolean {
  return JSON.stringify(found) === JSON.stringify(place)
}

async function listenOnPath(server: Server, address: UnixAddress): Promise<() => void> {
  try {
    return await listenOnUnix(server, address)
  } catch (error) {
    if (!(error instanceof Complaint)) throw error
    throw new Complaint(error.message, `choose another place for it, or ${BY_SYSTEMD}`, {
      cause: error.cause,
    })
  }
}

export function listenOnDescriptor(server: Server, fd: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new Complaint(`cannot listen on a socket that is open already: ${inWords(error)}`, undefined, {
          cause: error,
        }),
      )
    })
    server.listen({ fd, backlog: BACKLOG }, () => {
      server.removeAllListeners('error')
      const address = server.address()
      resolve(typeof address === 'object' ? address?.port : undefined)
    })
  })
}

function listenOnAddress(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => {
      const hint = codeOf(error) === 'EADDRINUSE' ? 'stop whoever has that port' : BY_SYSTEMD
      const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
      reject(new Complaint(`cannot listen on ${address}: ${inWords(error)}`, hint, { cause: error }))
    }
    server.once('error', refuse)
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', refuse)
      resolve()
    })
  })
}
