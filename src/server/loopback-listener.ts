import type { AddressInfo, Server } from 'node:net'
import type { Logger } from 'pino'
import { Complaint, codeOf, inWords } from '../protocol/complaint.ts'
import { BACKLOG } from './backlog.ts'

/** With port 0 the kernel picks one for IPv4, and that one may be taken on IPv6. */
const ATTEMPTS = 5
/** This host has no IPv6. */
const NO_IPV6 = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])

export interface LoopbackListeners {
  readonly port: number
  readonly servers: readonly Server[]
}

/** Listens on 127.0.0.1 and ::1, on the same port; 0 picks one. Throws Complaint. */
export async function listenOnLoopback(
  create: () => Server,
  port: number,
  log: Logger,
): Promise<LoopbackListeners> {
  for (let attempt = 1; ; attempt++) {
    const v4 = create()
    try {
      await listen(v4, '127.0.0.1', port)
    } catch (error) {
      throw cannotListen(`127.0.0.1:${port}`, error)
    }
    const { port: actual } = v4.address() as AddressInfo
    const v6 = create()
    try {
      await listen(v6, '::1', actual)
      return { port: actual, servers: [v4, v6] }
    } catch (error) {
      const code = codeOf(error)
      if (code !== undefined && NO_IPV6.has(code)) {
        log.info('this host has no IPv6 loopback; listening on 127.0.0.1 alone')
        return { port: actual, servers: [v4] }
      }
      v4.close()
      if (port !== 0 || attempt === ATTEMPTS) throw cannotListen(`[::1]:${actual}`, error)
    }
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, ipv6Only: true, backlog: BACKLOG }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function cannotListen(address: string, error: unknown): Complaint {
  const hint =
    codeOf(error) === 'EADDRINUSE'
      ? 'stop whoever has that port, or choose another with --port'
      : 'choose another with --port'
  return new Complaint(`cannot listen on ${address}: ${inWords(error)}`, hint, { cause: error })
}
