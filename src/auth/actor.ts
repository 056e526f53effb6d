import { userNameOf } from '../linux/names.ts'
import { programOf } from '../linux/peer.ts'
import type { Caller, Peer } from './caller.ts'
import type { Actor, LocalActor } from './records.ts'

/** Looked up once for a connection, and only for one that does something: it reads files. */
const described = new WeakMap<Peer, LocalActor>()

export function actorOf(caller: Caller): Actor {
  if (caller.kind === 'token') {
    return { kind: 'token', token: caller.token.id, user: caller.user.id, address: caller.address }
  }
  return describePeer(caller.peer)
}

export function describePeer(peer: Peer): LocalActor {
  const known = described.get(peer)
  if (known !== undefined) return known
  const { door, uid = null, pid = null } = peer
  const actor: LocalActor = {
    kind: 'local',
    door,
    uid,
    username: uid === null ? null : (userNameOf(uid) ?? null),
    pid,
    program: pid === null ? null : (programOf(pid) ?? null),
  }
  described.set(peer, actor)
  return actor
}
