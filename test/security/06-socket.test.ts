import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { refusal, serveArguments, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { as, needsRoot, publicDirectory, STRANGER } from '../support/root.ts'
import { mint } from '../support/talk.ts'

/** Under the worst of umasks, so that every mode is the daemon's own doing. */
const CARELESS = ['/bin/sh', '-c', 'umask 0; exec "$@"', 'sh']

/** Tries every socket in a folder, under whatever name, until stdin ends; says when it was first refused, and at last how often it was let in. */
const INTRUDER = `
import os, select, socket, stat, sys
print('ready', flush=True)
let_in, refused = 0, False
while not select.select([sys.stdin], [], [], 0)[0]:
    for name in os.listdir(sys.argv[1]):
        path = os.path.join(sys.argv[1], name)
        try:
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(path)
                    let_in += 1
        except PermissionError:
            if not refused:
                print('refused', flush=True)
            refused = True
        except OSError:
            pass
print(let_in)
`

async function intrude(directory: string) {
  const [setpriv = '', ...flags] = as(STRANGER)
  const child = spawn(setpriv, [...flags, '/usr/bin/python3', '-I', '-c', INTRUDER, directory], { cwd: '/' })
  const said = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async () => (await said.next()).value as string
  assert.equal(await next(), 'ready')
  return {
    next,
    async letIn() {
      child.stdin.end()
      return Number(await next())
    },
  }
}

describe('pitfall 6: the Unix socket is for its owner and group from the first moment', () => {
  it('whatever umask the daemon has inherited', async (t) => {
    const { socket } = await startDaemon(t, { under: CARELESS })
    assert.equal(lstatSync(socket).mode & 0o777, 0o660)
  })

  it('another user who tries all the time never gets in while it starts', needsRoot('python3'), async (t) => {
    const directory = publicDirectory(t)
    const intruders = await Promise.all([intrude(directory), intrude(directory)])
    for (let n = 0; n < 5; n++) {
      const daemon = await startDaemon(t, { directory, under: CARELESS })
      await mint(daemon)
      if (n === 0) for (const { next } of intruders) assert.equal(await next(), 'refused')
      await daemon.stop(n % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
    }
    for (const intruder of intruders) assert.equal(await intruder.letIn(), 0)
  })
})

describe('pitfall 6: what is at the path already stays there', () => {
  const inTheWay: [what: string, put: (path: string) => void][] = [
    ['a file', (path) => writeFileSync(path, 'precious')],
    ['a directory', (path) => mkdirSync(path)],
    ['a symbolic link to nothing', (path) => symlinkSync('elsewhere', path)],
    ['a symbolic link to a file', (path) => symlinkSync('/etc/passwd', path)],
  ]
  for (const [what, put] of inTheWay) {
    it(`${what}, untouched`, async (t) => {
      const directory = temporaryDirectory(t)
      const path = join(directory, 's.sock')
      put(path)
      const before = lstatSync(path)
      assert.match(await refusal(serveArguments(directory)), /something else than a socket is there/)
      assert.deepEqual([lstatSync(path).ino, lstatSync(path).mtimeMs], [before.ino, before.mtimeMs])
    })
  }

  it('a symbolic link to the socket of another daemon', async (t) => {
    const first = await startDaemon(t)
    const directory = temporaryDirectory(t)
    symlinkSync(first.socket, join(directory, 's.sock'))
    assert.match(await refusal(serveArguments(directory)), /something else than a socket is there/)
    await mint(first)
  })

  it('the socket of another daemon', async (t) => {
    const first = await startDaemon(t)
    const args = serveArguments(temporaryDirectory(t))
    args[args.indexOf('--socket') + 1] = first.socket
    assert.match(await refusal(args), /a daemon is listening there/)
    await mint(first)
  })
})

describe('pitfall 6: a directory that anybody may write to', () => {
  for (const mode of [0o777, 0o1777, 0o702]) {
    it(`(mode ${mode.toString(8)}) is no place for the socket`, async (t) => {
      const directory = temporaryDirectory(t)
      chmodSync(directory, mode)
      assert.match(await refusal(serveArguments(directory)), /anybody may write/)
    })
  }

  it('is no place for the socket of the remote door either', async (t) => {
    const directory = temporaryDirectory(t)
    mkdirSync(join(directory, 'open'))
    chmodSync(join(directory, 'open'), 0o777)
    const config = `[[remote]]\nlisten = "unix:${join(directory, 'open', 'r.sock')}"\n`
    assert.match(await refusal(serveArguments(directory, config)), /anybody may write/)
  })
})
