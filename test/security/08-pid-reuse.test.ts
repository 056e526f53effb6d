import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { assertForbidden, assertMinted, mintRequest, readAnswer } from '../support/minting.ts'
import { needsRoot, publicDirectory, pythonAs, STRANGER } from '../support/root.ts'
import { call, mint } from '../support/talk.ts'

const root = needsRoot('python3')
const config = '[listen]\nsocket_mode = "0666"\n'
const daemon = await startDaemon({ after }, { config, directory: publicDirectory({ after }) })
const superadmin = await mint(daemon)

/**
 * One process makes a socket and hands it on, another one connects it and ends, and a third one, who has the pid of the
 * second, talks (clone3(2) with set_tid). Each is somebody else. Prints that pid, and then what was answered.
 */
const RELAY = `
import ctypes, os, socket, struct, sys
place, request = sys.argv[1], sys.argv[2].encode()
maker, connector, user = map(int, sys.argv[3:])

def become(uid):
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)

here, there = socket.socketpair()
if os.fork() == 0:
    become(maker)
    s = socket.socket(socket.AF_UNIX if place.startswith('/') else socket.AF_INET)
    socket.send_fds(here, [b'x'], [s.fileno()])
    os._exit(0)
os.wait()
s = socket.socket(fileno=socket.recv_fds(there, 1, 1)[1][0])

pid = os.fork()
if pid == 0:
    become(connector)
    s.connect(place if place.startswith('/') else ('127.0.0.1', int(place)))
    os._exit(0)
os.wait()

wanted = ctypes.c_int(pid)
args = ctypes.create_string_buffer(struct.pack('11Q', 0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(wanted), 1, 0))
clone3 = ctypes.CDLL(None, use_errno=True).syscall
child = clone3(435, args, 88)
if child < 0:
    raise OSError(ctypes.get_errno(), 'clone3')
if child == 0:
    if os.getpid() != pid:
        os._exit(3)
    become(user)
    s.sendall(request)
    answer = b'%d\\n' % pid
    while chunk := s.recv(65536):
        answer += chunk
    os.write(1, answer)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`

async function mintRelayed(door: 'unix' | 'tcp', ...uids: readonly number[]) {
  const place = door === 'unix' ? daemon.socket : daemon.port
  const flags = [place, mintRequest(`127.0.0.1:${daemon.port}`), ...uids].map(String)
  const { code, stdout, stderr } = await pythonAs({ uid: 0 }, RELAY, ...flags)
  assert.equal(code, 0, stderr)
  const end = stdout.indexOf('\n')
  return { pid: Number(stdout.slice(0, end)), answer: readAnswer(stdout.slice(end + 1)) }
}

async function mintedBy(token: string) {
  const params = { token, output: ['minted_by'] }
  const { json } = await call(daemon, 'token.get', params, { token: superadmin })
  const [found] = json.result as { minted_by: { uid: number; pid: number | null } }[]
  return found?.minted_by
}

describe('pitfall 8: a connection has the rights of', root, () => {
  const nameOf = (uid: number) => (uid === 0 ? 'root' : 'a stranger')
  const everybody = [0, STRANGER.uid]

  for (const connector of everybody) {
    it(`${nameOf(connector)}, who connected a Unix socket, whoever made it, uses it, or has that pid now`, async () => {
      for (const maker of everybody) {
        for (const user of everybody) {
          const { pid, answer } = await mintRelayed('unix', maker, connector, user)
          if (connector !== 0) assertForbidden(answer, /uid 54321 is no operator/)
          else {
            const by = await mintedBy(assertMinted(answer))
            assert.deepEqual([by?.uid, by?.pid], [0, pid], 'as of connect()')
          }
        }
      }
    })
  }

  for (const maker of everybody) {
    it(`${nameOf(maker)}, who made the socket of a TCP connection, whoever connected or uses it`, async () => {
      for (const connector of everybody) {
        for (const user of everybody) {
          const { answer } = await mintRelayed('tcp', maker, connector, user)
          if (maker !== 0) assertForbidden(answer)
          else assert.equal((await mintedBy(assertMinted(answer)))?.uid, 0)
        }
      }
    })
  }
})
