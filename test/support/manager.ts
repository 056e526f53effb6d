import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Scope } from './daemon.ts'
import { publicDirectory } from './root.ts'

/** Opens sockets and hands them over, as systemd does (sd_listen_fds(3)). Takes them as JSON, then the command. */
const HAND_OVER = `
import fcntl, json, os, socket, sys
names, fds = [], []
for name, place in json.loads(sys.argv[1]):
    if place == 'inet-diag':
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
    elif place == 'nothing':
        s = socket.socketpair()[0]
    elif place.startswith('/'):
        s = socket.socket(socket.AF_UNIX)
        s.bind(place)
        s.listen()
    else:
        host, _, port = place.rpartition(':')
        s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host.strip('[]'), int(port)))
        s.listen()
    names.append(name)
    fds.append(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 100))
    s.detach()
for at, fd in enumerate(fds):
    os.dup2(fd, 3 + at)
os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=':'.join(names))
os.environ.setdefault('LISTEN_PID', str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
`

/** A socket by the name of its unit, and where: a path, an address, `inet-diag`, or `nothing` (which answers nothing). */
export type Handed = readonly [name: string, place: string]

/** What to put in front of a command so that it inherits sockets. */
export function handing(...sockets: Handed[]): string[] {
  return ['/usr/bin/python3', '-I', '-c', HAND_OVER, JSON.stringify(sockets)]
}

const LISTEN = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\\0'))
print(json.dumps('bound'), flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`

/** Listens as systemd does on $NOTIFY_SOCKET, and keeps what it is told. */
export async function listenForNotices(
  t: Scope,
  name?: string,
): Promise<{ socket: string; notices: string[] }> {
  const socket = name ?? join(publicDirectory(t), 'notify')
  const child = spawn('/usr/bin/python3', ['-I', '-c', LISTEN, socket])
  t.after(() => child.kill('SIGKILL'))
  const notices: string[] = []
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) notices.push(JSON.parse(line))
  })
  await once(child.stdout, 'data')
  notices.shift() // that it is bound
  return { socket, notices }
}
