import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** Opens a Unix socket (the second argument) and a loopback port, as the daemon does, and tells whoever has started it. */
export async function listen(make: () => Server): Promise<void> {
  const path = process.argv[3] as string
  const unix = make().listen(path)
  await once(unix, 'listening')
  const loopback = make().listen(0, '127.0.0.1')
  await once(loopback, 'listening')
  process.send?.({ socket: path, port: (loopback.address() as AddressInfo).port })
  process.on('disconnect', () => process.exit())
}
