import { isIPv6 } from 'node:net'
import type { Peer } from '../auth/caller.ts'
import type { Origin } from './origin.ts'

/**
 * Who counts as one: a user of this host, where the kernel names them, so that none can take the place of another; and
 * elsewhere addresses that one host can choose among at will: all of loopback, and an IPv6 network of 64 bits.
 */
export function neighbourhood({ address, uid, door }: Pick<Peer, 'address' | 'uid' | 'door'>): string {
  if (door === 'tcp' && uid !== undefined) return `uid ${uid}`
  if (address.startsWith('127.') || address === '::1') return 'loopback'
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array(8 - groups.length - rest.length).fill('0')
  return [...groups, ...zeros, ...rest].slice(0, 4).join(':')
}

/** The same of whoever sent a request, which may not be who is connected. Here also on Unix sockets, whose users the kernel names. */
export function senderOf({ connection: { peer }, address }: Origin): string {
  if (address !== peer.address) return neighbourhood({ address, uid: undefined, door: peer.door })
  return peer.uid === undefined ? neighbourhood(peer) : `uid ${peer.uid}`
}
