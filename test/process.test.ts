import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { MAIN, refusal, serveArguments, startDaemon, temporaryDirectory, until } from './support/daemon.ts'
import { accepted, call, http, mint, open, webSocket } from './support/talk.ts'

describe('the daemon', () => {
  it('keeps every one of 200 acknowledged mints across kill -9', async (t) => {
    const first = await startDaemon(t)
    const tokens = await Promise.all(Array.from({ length: 200 }, () => mint(first)))
    await first.stop('SIGKILL')
    const second = await startDaemon(t, { directory: first.directory })
    const alive = await Promise.all(tokens.map((token) => accepted(second, token)))
    assert.equal(alive.filter(Boolean).length, 200)
  })

  it('loses no acknowledged mint or revocation when it is killed in the middle of others', async (t) => {
    let daemon = await startDaemon(t)
    for (let round = 0; round < 3; round++) {
      const [kept, revoked]: [string[], string[]] = [[], []]
      const work = Array.from({ length: 20 }, async () => {
        for (;;) {
          const token = await mint(daemon)
          kept.push(token)
          const victim = await mint(daemon)
          await call(daemon, 'Auth.RevokeApiToken', undefined, { token: victim })
          revoked.push(victim)
        }
      })
      const ended = Promise.allSettled(work)
      await until('some work is done', () => revoked.length > 30)
      await daemon.stop('SIGKILL')
      await ended
      daemon = await startDaemon(t, { directory: daemon.directory })
      for (const token of kept) assert.ok(await accepted(daemon, token))
      for (const token of revoked) assert.ok(!(await accepted(daemon, token)))
    }
  })

  it('never gives an id twice, kill -9 or not', async (t) => {
    const directory = temporaryDirectory(t)
    const ids = new Set<string>()
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      const daemon = await startDaemon(t, { directory })
      for (const token of await Promise.all(Array.from({ length: 5 }, () => mint(daemon)))) {
        const { json } = await call(daemon, 'Auth.WhoAmI', undefined, { token })
        ids.add((json.result as { tokenid: string }).tokenid)
      }
      await daemon.stop(signal)
    }
    assert.equal(ids.size, 15)
  })

  it('finishes calls in flight when it is asked to stop', async (t) => {
    const daemon = await startDaemon(t)
    const mints = Array.from({ length: 50 }, () => mint(daemon))
    await mints[0]
    const stopped = daemon.stop()
    const outcomes = await Promise.allSettled(mints)
    assert.equal(await stopped, 0)
    const minted = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    const next = await startDaemon(t, { directory: daemon.directory })
    for (const token of minted) assert.ok(await accepted(next, token))
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`ends on ${signal} with 0, idle connections or not, and takes its socket away`, async (t) => {
      const daemon = await startDaemon(t)
      const idle = open(daemon)
      const ws = await webSocket(t, daemon)
      assert.equal(await daemon.stop(signal), 0)
      assert.equal((await ws.closed).code, 1001)
      assert.ok(!existsSync(daemon.socket))
      idle.destroy()
    })
  }

  it('takes over on SIGHUP what it can, and says what it cannot', async (t) => {
    const daemon = await startDaemon(t, { config: '[limits]\nbatch = 2\n' })
    const batch = '[1,2,3]'
    assert.equal((await http(daemon, batch)).status, 400)
    writeFileSync(join(daemon.directory, 'postern.toml'), '[limits]\nbatch = 3\nidle = "1m"\n')
    process.kill(daemon.pid, 'SIGHUP')
    await until('the reload is logged', () => daemon.log().includes('configuration reloaded'))
    assert.equal((await http(daemon, batch)).status, 200)
    assert.match(daemon.log(), /"reloaded":\["limits.batch"\],"need_restart":\["limits.idle"\]/)
    writeFileSync(join(daemon.directory, 'postern.toml'), '[limits]\nbatsch = 3\n')
    process.kill(daemon.pid, 'SIGHUP')
    await until('the refusal is logged', () => daemon.log().includes('the old one stays'))
    assert.equal((await http(daemon, batch)).status, 200)
  })

  it('logs JSON, one object a line, when nobody is looking', async (t) => {
    const daemon = await startDaemon(t)
    await daemon.stop()
    for (const line of daemon.log().trim().split('\n')) assert.equal(typeof JSON.parse(line).msg, 'string')
  })

  it('says so when its port is taken, and leaves nothing behind', async (t) => {
    const directory = temporaryDirectory(t)
    const squatter = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => squatter.once('listening', resolve))
    const { port } = squatter.address() as { port: number }
    const args = serveArguments(directory)
    args[args.indexOf('--port') + 1] = String(port)
    assert.match(
      await refusal(args),
      new RegExp(`cannot listen on 127.0.0.1:${port}: already in use\nhint: .*--port`),
    )
    assert.ok(!existsSync(join(directory, 's.sock')))
    squatter.close()
    await mint(await startDaemon(t, { directory }))
  })
})

describe('the Unix socket', () => {
  it('takes the mode that is configured', async (t) => {
    const { socket } = await startDaemon(t, { config: '[listen]\nsocket_mode = "0600"\n' })
    assert.equal(lstatSync(socket).mode & 0o777, 0o600)
  })

  it('replaces one that nobody listens on', async (t) => {
    const first = await startDaemon(t)
    await first.stop('SIGKILL')
    assert.ok(existsSync(first.socket))
    await mint(await startDaemon(t, { directory: first.directory }))
  })

  it('stays when a successor has taken the path', async (t) => {
    const first = await startDaemon(t)
    rmSync(first.socket)
    const second = spawn(process.execPath, [
      MAIN,
      'serve',
      '--state-dir',
      join(first.directory, 'other'),
      '--socket',
      first.socket,
      '--port',
      '0',
    ])
    t.after(() => second.kill('SIGKILL'))
    await new Promise((resolve) => second.stdout.once('data', resolve))
    await first.stop()
    await mint(first)
  })

  it('lets a thousand wait for a daemon that is busy, and refuses none of them', async (t) => {
    const daemon = await startDaemon(t)
    const mostOfHost = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'))
    process.kill(daemon.pid, 'SIGSTOP')
    const waiting = Array.from({ length: Math.min(1000, mostOfHost) }, () => open(daemon))
    await Promise.all(waiting.map((socket) => once(socket, 'connect')))
    process.kill(daemon.pid, 'SIGCONT')
    for (const socket of waiting) {
      socket.write('{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}\n')
      assert.match(String(await once(socket, 'data')), /-32001/)
      socket.destroy()
    }
  })

  it('has a path of at most 107 bytes', async (t) => {
    const directory = temporaryDirectory(t)
    const args = serveArguments(directory)
    args[args.indexOf('--socket') + 1] = join(directory, 'x'.repeat(108 - directory.length - 1))
    assert.match(await refusal(args), /at most 107 bytes/)
  })

  it('is not for a group that does not exist', async (t) => {
    const args = serveArguments(temporaryDirectory(t), '[listen]\nsocket_group = "no-such-group"\n')
    assert.match(await refusal(args), /there is no group no-such-group[\s\S]*groupadd/)
  })
})

describe('limits', () => {
  it('on connections, in all and from one address, have an answer of their own', async (t) => {
    const daemon = await startDaemon(t, {
      config: '[limits]\nconnections = 8\nconnections_per_address = 3\n',
    })
    const held = Array.from({ length: 3 }, () => open(daemon, 'tcp'))
    await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
    const refused = await http(daemon, '1', { door: 'tcp' })
    assert.deepEqual(
      [refused.status, refused.json.error?.code, refused.headers['retry-after']],
      [429, -32029, '1'],
    )
    held.push(...Array.from({ length: 5 }, () => open(daemon)))
    await until('the daemon is full', async () => (await http(daemon, '1')).status === 429)
    for (const socket of held) socket.destroy()
    await until('there is room again', async () => (await http(daemon, '1', { door: 'tcp' })).status === 400)
  })

  it('on idle connections end them', async (t) => {
    const daemon = await startDaemon(t, { config: '[limits]\nidle = "300ms"\n' })
    for (const door of ['unix', 'tcp'] as const) {
      const silent = open(daemon, door)
      silent.resume()
      await new Promise((resolve) => silent.once('end', resolve).once('close', resolve))
      silent.destroy()
    }
  })
})
