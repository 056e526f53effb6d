import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { assertMinted, countMints, mintAs, mintRequest } from '../support/minting.ts'
import { needsRoot, publicDirectory, pythonAs, STRANGER } from '../support/root.ts'
import { call, mint } from '../support/talk.ts'

const root = needsRoot('python3')
const config = '[listen]\nsocket_mode = "0666"\n[limits]\nconnections_per_address = 1000\n'
const daemon = await startDaemon({ after }, { config, directory: publicDirectory({ after }) })
const token = await mint(daemon)
const request = mintRequest(`127.0.0.1:${daemon.port}`)

/** Connects, asks for a token and is gone at once. */
const HIT_AND_RUN = `
import socket, struct, sys
place, request, how, times = sys.argv[1], sys.argv[2].encode(), sys.argv[3], int(sys.argv[4])
for _ in range(times):
    if place.startswith('/'):
        s = socket.socket(socket.AF_UNIX)
        s.connect(place)
    else:
        s = socket.create_connection(('127.0.0.1', int(place)))
    if how == 'reset':
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.sendall(request)
    if how == 'half-close':
        s.shutdown(socket.SHUT_WR)
    s.close()
`

/** Root takes the port over from a stranger who has just gone. It stays until the daemon has looked. */
const HEIR = `
import os, random, socket, struct, sys
port, request, stranger = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
r, w = os.pipe()
if os.fork() == 0:
    os.setgid(stranger)
    os.setuid(stranger)
    s = socket.socket()
    # None that the kernel gives out: somebody else could have it before root does.
    s.bind(('127.0.0.1', random.randrange(20000, 30000)))
    s.connect(('127.0.0.1', port))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.sendall(request)
    os.write(w, str(s.getsockname()[1]).encode())
    s.close()
    os._exit(0)
os.wait()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', int(os.read(r, 100))))
s.connect(('127.0.0.1', port))
if os.fork() == 0:
    os.close(1)
    os.close(2)
    s.recv(1)
    os._exit(0)
print('connected')
`

async function hitAndRun(place: string | number, how: string, times: number): Promise<void> {
  const { code, stderr } = await pythonAs(STRANGER, HIT_AND_RUN, String(place), request, how, String(times))
  assert.equal(code, 0, stderr)
}

/** Nothing is minted by what happens while the daemon stands still, so that all of it is over when it looks. */
async function mintsNothing(meanwhile: () => Promise<unknown>): Promise<void> {
  const before = await countMints(daemon, token)
  process.kill(daemon.pid, 'SIGSTOP')
  try {
    await meanwhile()
  } finally {
    process.kill(daemon.pid, 'SIGCONT')
  }
  await mint(daemon) // behind all of them
  await call(daemon, 'Auth.WhoAmI', undefined, { door: 'tcp', token })
  assert.equal(await countMints(daemon, token), before + 1)
}

describe('pitfall 5: a client that is gone when the kernel is asked about it is nobody', root, () => {
  for (const how of ['close', 'half-close', 'reset']) {
    it(`a few hundred times in a race: send and ${how}`, async () => {
      const before = await countMints(daemon, token)
      await Promise.all([daemon.port, daemon.socket].map((place) => hitAndRun(place, how, 300)))
      await call(daemon, 'Auth.WhoAmI', undefined, { door: 'tcp', token })
      assert.equal(await countMints(daemon, token), before)
    })

    it(`on TCP, before the daemon has even accepted it: send and ${how}`, async () => {
      await mintsNothing(() => hitAndRun(daemon.port, how, 50))
    })

    it(`on the Unix socket, likewise: send and ${how}`, async () => {
      await mintsNothing(() => hitAndRun(daemon.socket, how, 50))
    })
  }

  it('root, likewise, on TCP', async () => {
    await mintsNothing(() => pythonAs({ uid: 0 }, HIT_AND_RUN, String(daemon.port), request, 'close', '50'))
  })

  it('and is not root, who has its port next', async () => {
    await mintsNothing(async () => {
      const flags = [daemon.port, request, STRANGER.uid].map(String)
      const { code, stdout, stderr } = await pythonAs({ uid: 0 }, HEIR, ...flags)
      assert.deepEqual([code, stdout], [0, 'connected\n'], stderr)
    })
  })

  it('while one that stays is known', async () => {
    assertMinted(await mintAs({ uid: 0 }, daemon, 'tcp'))
  })
})
