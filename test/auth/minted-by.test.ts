import assert from 'node:assert/strict'
import { realpathSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { assertMinted, audit, mintAs } from '../support/minting.ts'
import { GAMES, needsRoot, publicDirectory, STRANGER } from '../support/root.ts'
import { call, mint } from '../support/talk.ts'

const config = '[listen]\nsocket_mode = "0666"\n[[operators]]\nuid = 54321\n[[operators]]\nuser = "games"\n'
const daemon = await startDaemon({ after }, { directory: publicDirectory({ after }), config })
const superadmin = await mint(daemon)
const root = needsRoot()

async function mintedBy(token: string): Promise<Record<string, unknown>> {
  const params = { token, output: ['minted_by'] }
  const { json } = await call(daemon, 'token.get', params, { token: superadmin })
  return (json.result as { minted_by: Record<string, unknown> }[])[0]?.minted_by ?? {}
}

describe('a token remembers who minted it', root, () => {
  it('with uid, name, pid and program on the Unix socket', async () => {
    const token = await mint(daemon)
    assert.deepEqual(await mintedBy(token), {
      kind: 'local',
      door: 'unix',
      uid: 0,
      username: 'root',
      pid: process.pid,
      program: realpathSync(process.execPath),
    })
    const [line] = await audit(daemon, superadmin, 1)
    assert.deepEqual([line?.event, line?.by], ['token.mint', await mintedBy(token)])
  })

  it('with the uid and its name on TCP, where the kernel tells no more', async () => {
    const token = assertMinted(await mintAs(GAMES, daemon, 'tcp'))
    assert.deepEqual(await mintedBy(token), {
      kind: 'local',
      door: 'tcp',
      uid: GAMES.uid,
      username: 'games',
      pid: null,
      program: null,
    })
  })

  it('without a name where the uid has none', async () => {
    const by = await mintedBy(assertMinted(await mintAs(STRANGER, daemon, 'unix')))
    assert.deepEqual([by.uid, by.username], [STRANGER.uid, null])
    assert.match(String(by.program), /python3/)
  })
})
