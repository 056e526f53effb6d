import { Mutex } from '../protocol/mutex.ts'
import { openLibc, type StructFunction } from './libc.ts'

interface Passwd {
  pw_name: string
  pw_passwd: string
  pw_uid: number
}

interface Group {
  gr_name: string
  gr_passwd: string
  gr_gid: number
}

interface NameService {
  readonly userByName: StructFunction<Passwd>
  readonly userById: StructFunction<Passwd>
  readonly groupByName: StructFunction<Group>
}

let opened: NameService | undefined
/** The C library answers in one place for the whole process: another thread's answer could come between ours and our reading it. */
let turn = new Mutex()

/** From now on this thread takes turns with those that share this memory. */
export function shareNames(memory: SharedArrayBuffer): void {
  turn = new Mutex(memory)
}

/** The uid of a user, from wherever this host keeps them (getpwnam(3): files, LDAP, systemd). Undefined: no such user. */
export function uidOf(user: string): number | undefined {
  return turn.run(() => nameService()?.userByName(user)?.pw_uid)
}

/** The gid of a group, by getgrnam(3). Undefined: no such group. */
export function gidOf(group: string): number | undefined {
  return turn.run(() => nameService()?.groupByName(group)?.gr_gid)
}

/** The name that a uid has just now, for people to read. Undefined: it has none. */
export function userNameOf(uid: number): string | undefined {
  return turn.run(() => nameService()?.userById(uid)?.pw_name)
}

function nameService(): NameService | undefined {
  const libc = openLibc()
  if (libc === undefined) return undefined
  const passwd = { pw_name: 'str', pw_passwd: 'str', pw_uid: 'uint32_t' } as const
  opened ??= {
    userByName: libc.declareReader<Passwd>('getpwnam', 'const char *name', passwd),
    userById: libc.declareReader<Passwd>('getpwuid', 'uint32_t uid', passwd),
    groupByName: libc.declareReader<Group>('getgrnam', 'const char *name', {
      gr_name: 'str',
      gr_passwd: 'str',
      gr_gid: 'uint32_t',
    }),
  }
  return opened
}
