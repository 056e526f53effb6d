import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gate, holding, works } from '../../support/behind.ts'
import { startDaemon, temporaryDirectory, until } from '../../support/daemon.ts'
import { make, ok, statusOf } from '../../support/lives.ts'
import { call, mint, webSocket } from '../../support/talk.ts'
import { KINDS, namespaceOf, obey, table, upstream } from '../../support/upstreams.ts'

/** A service of its own process: it answers each line, and does what its methods say. */
const PROGRAM = `
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
const attend = (input, output) => {
  let rest = ''
  input.setEncoding('utf8').on('data', (chunk) => {
    const lines = (rest + chunk).split('\\n')
    rest = lines.pop()
    for (const { id, method } of lines.map((line) => JSON.parse(line))) {
      if (method === 'p.die') process.exit(3)
      if (method === 'p.orphan') {
        spawn('/bin/sleep', ['30'], { stdio: ['ignore', 'inherit', 'ignore'] })
        setTimeout(() => process.exit(3), 50)
      } else output.write(JSON.stringify({ jsonrpc: '2.0', id, result: process.pid }) + '\\n')
    }
  })
}
if (process.argv[2]) createServer((socket) => attend(socket.on('error', () => {}), socket)).listen(process.argv[2], () => console.log('up'))
else attend(process.stdin, process.stdout)
`

describe('what ends a token abandons its calls', () => {
  for (const kind of KINDS) {
    it(`and frees their slots (${kind})`, async (t) => {
      const fake = await upstream(t, kind)
      const { daemon, admin } = await gate(t, fake, { concurrency: 1, timeout: '1h' })
      const { token, tokenid } = await make(daemon, admin)
      const { held } = holding(fake)
      const method = `${namespaceOf(kind)}x`
      const first = call(daemon, method, [], { token })
      await until('it is under way', () => held.length === 1)
      const second = call(daemon, method, [], { token })
      await ok(daemon, 'token.revoke', [tokenid], admin).catch(() =>
        ok(daemon, 'Auth.RevokeApiToken', undefined, token),
      )
      for (const { status, json } of await Promise.all([first, second])) {
        assert.notEqual(status, 200)
        assert.equal(json.result, undefined)
      }
      if (kind.endsWith('http')) await held[0]?.gone
      assert.equal(held.length, 1)
      fake.behaviour = obey
      assert.ok(await works(daemon, fake, admin)())
    })
  }

  it('over a WebSocket as well, and an answer that comes too late reaches nobody', async (t) => {
    const fake = await upstream(t, 'ws')
    const { daemon, admin } = await gate(t, fake, { timeout: '1h' })
    const { token } = await make(daemon, admin)
    const client = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
    const { held, release } = holding(fake)
    client.send({ jsonrpc: '2.0', id: 1, method: 'ws.echo', params: ['late'] })
    await until('it is under way', () => held.length === 1)
    await ok(daemon, 'Auth.RevokeApiToken', undefined, token)
    release()
    assert.equal((await client.closed).code, 4401)
    assert.ok(!client.inbox.some((text) => text.includes('late')))
    assert.ok(await works(daemon, fake, admin)())
  })
})

describe('a program', () => {
  const rule = (t: Parameters<typeof startDaemon>[0]) => {
    const file = join(temporaryDirectory(t), 'program.mjs')
    writeFileSync(file, PROGRAM)
    const url = `exec:${process.execPath} ${file}`
    const config = (timeout: string) => table({ kind: 'exec', url }, { namespace: 'p.', timeout })
    return { file, config }
  }

  it('that ends is started again with the next call', async (t) => {
    const daemon = await startDaemon(t, { config: rule(t).config('20s') })
    const token = await mint(daemon)
    const first = await ok(daemon, 'p.pid', [], token)
    assert.equal(await statusOf(daemon, 'p.die', [], token), 502)
    assert.notEqual(await ok(daemon, 'p.pid', [], token), first)
  })

  it('is started again though a child of its own still holds its output', async (t) => {
    const daemon = await startDaemon(t, { config: rule(t).config('1s') })
    const token = await mint(daemon)
    assert.ok((await statusOf(daemon, 'p.orphan', [], token)) >= 502)
    await until('it works again', async () => (await statusOf(daemon, 'p.pid', [], token)) === 200)
  })

  it('that is not there is a failure of the upstream', async (t) => {
    const url = 'exec:/does/not/exist'
    const daemon = await startDaemon(t, { config: table({ kind: 'exec', url }, { namespace: 'p.' }) })
    const token = await mint(daemon)
    const { status, body } = await call(daemon, 'p.x', [], { token })
    assert.equal(status, 502)
    assert.ok(!body.includes('ENOENT') && !body.includes('/does'))
  })

  it('ends with the gate, which ends though it runs', async (t) => {
    const daemon = await startDaemon(t, { config: rule(t).config('20s') })
    const pid = await ok<number>(daemon, 'p.pid', [], await mint(daemon))
    assert.equal(await daemon.stop(), 0)
    await until('it has ended', () => {
      try {
        return !process.kill(pid, 0)
      } catch {
        return true
      }
    })
  })

  it('that is stopped (SIGSTOP) is late, and goes on where it was', async (t) => {
    const path = join(temporaryDirectory(t), 'service.sock')
    const service = spawn(process.execPath, [rule(t).file, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => service.kill('SIGKILL'))
    await new Promise((resolve) => service.stdout?.once('data', resolve))
    const config = table({ kind: 'unix', url: `unix:${path}` }, { namespace: 'p.', timeout: '1s' })
    const daemon = await startDaemon(t, { config })
    const token = await mint(daemon)
    await ok(daemon, 'p.pid', [], token)
    service.kill('SIGSTOP')
    for (let n = 0; n < 3; n++) {
      assert.equal(await statusOf(daemon, 'p.pid', [], token), 504)
      assert.equal(await statusOf(daemon, 'Auth.WhoAmI', undefined, token), 200)
    }
    service.kill('SIGCONT')
    await until('it works again', async () => (await statusOf(daemon, 'p.pid', [], token)) === 200)
  })
})
