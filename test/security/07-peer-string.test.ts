import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { startDaemon, until } from '../support/daemon.ts'
import { assertForbidden, assertMinted, mintRequest, readAnswer } from '../support/minting.ts'
import { needsRoot, publicDirectory, runAs, STRANGER } from '../support/root.ts'
import { call, mint } from '../support/talk.ts'

const root = needsRoot('python3')
const directory = publicDirectory({ after })
const config = '[listen]\nsocket_mode = "0666"\n[[operators]]\nuid = 54322\n'
const daemon = await startDaemon({ after }, { directory, config })
const OPERATOR = { uid: 54_322 }

/** Where anybody may bind a socket and put a program. */
const own = join(directory, 'own')
mkdirSync(own)
chmodSync(own, 0o777)

/** A client whose own end of the connection has a name. */
const NAMED = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[2].replace('@', '\\0'))
s.connect(sys.argv[1])
s.sendall(sys.argv[3].encode())
while chunk := s.recv(65536):
    sys.stdout.buffer.write(chunk)
`
const PYTHON = '/usr/bin/python3'

async function mintNamed(identity: { uid: number }, name: string, python = PYTHON) {
  const command = [python, '-I', '-c', NAMED, daemon.socket, name, mintRequest('localhost')]
  const { code, stdout, stderr } = await runAs(identity, command)
  assert.equal(code, 0, stderr)
  return readAnswer(stdout)
}

interface Refusal {
  readonly event?: string
  readonly uid?: number
  readonly username?: string | null
  readonly address?: string
  readonly program?: string
}

/** The refusals in the log, which has to be one JSON object a line whatever happens. */
function refusals(): Refusal[] {
  const lines = daemon.log().split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Refusal).filter(({ event }) => event === 'refusal')
}

describe(
  'pitfall 7: who is connected is a number of the kernel, whatever the client calls itself',
  root,
  () => {
    const names = [
      ';uid=0;',
      ';uid=0;gid=0;pid=1;',
      'x;pid=1;uid=0;socket=',
      '\nuid=0\n',
      '"uid":0,"username":"root"',
      '\u001b[2J\r\n{"event":"token.mint","by":{"uid":0}}',
      '0',
      'root',
    ]
    for (const [at, name] of names.entries()) {
      for (const path of [join(own, `${at}${name}`), `@${at}${name}`]) {
        it(`a client bound to ${JSON.stringify(path.replace(own, ''))} does not become root`, async () => {
          const before = refusals().length
          assertForbidden(await mintNamed(STRANGER, path), /uid 54321 is no operator/)
          await until('it is logged', () => refusals().length > before)
          const [refusal, ...more] = refusals().slice(before)
          assert.deepEqual([refusal?.uid, refusal?.username, refusal?.address], [STRANGER.uid, null, 'unix'])
          assert.equal(more.length, 0)
        })
      }
    }

    it('nor does one whose program is called so', async () => {
      const program = join(own, 'a\n","uid":0,"username":"root')
      copyFileSync(realpathSync(PYTHON), program)
      chmodSync(program, 0o755)
      const before = refusals().length
      assertForbidden(await mintNamed(STRANGER, '@program', program), /uid 54321/)
      await until('it is logged', () => refusals().length > before)
      assert.deepEqual([refusals().at(-1)?.uid, refusals().at(-1)?.program], [STRANGER.uid, program])
    })

    it('and the token of one who may mint has the real uid', async () => {
      const token = assertMinted(await mintNamed(OPERATOR, join(own, 'b;uid=0;\nuid=0')))
      const params = { token, output: ['minted_by'] }
      const { json } = await call(daemon, 'token.get', params, { token: await mint(daemon) })
      const [found] = json.result as { minted_by: { uid: number; door: string } }[]
      assert.deepEqual([found?.minted_by.uid, found?.minted_by.door], [OPERATOR.uid, 'unix'])
    })
  },
)
