import assert from 'node:assert/strict'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startDaemon as startWithin } from '../../src/index.ts'
import {
  type Daemon,
  postern,
  type Scope,
  startDaemon,
  temporaryDirectory,
  until,
} from '../support/daemon.ts'
import { eventsUntil, type Lines, make, ok } from '../support/lives.ts'
import { reload } from '../support/reload.ts'
import { Address, handshake, makeCertificate } from '../support/remote.ts'
import { needsProgram, needsRoot } from '../support/root.ts'
import { call, http, mint, type Response } from '../support/talk.ts'
import { accepted, Census, onEachWorker } from '../support/workers.ts'
import { filesOf, inject, NOT_ANEW } from '../torture/faults.ts'

const WORKERS = 'workers = 3\n'

async function oneOfEach(t: Scope, daemon: Daemon, token: string): Promise<Lines[]> {
  const census = await Census.begin(t, daemon, token)
  return (await onEachWorker(census, 1, () => accepted(t, daemon))).map(([line]) => line as Lines)
}

const whoAmI = async (line: Lines, token: string) =>
  (await line.call('Auth.WhoAmI', { Token: token }))?.error?.code

describe('with several workers', () => {
  it('who watches on any of them is told what is done on any of them', async (t) => {
    const daemon = await startDaemon(t, { config: WORKERS })
    const admin = await mint(daemon)
    const actors = await oneOfEach(t, daemon, admin)
    const watchers = await oneOfEach(t, daemon, admin)
    for (const watcher of watchers) await watcher.call('token.watch', { Token: admin })
    const names = actors.map((_, at) => `seen-${at}`)
    for (const [at, actor] of actors.entries())
      await actor.call('Auth.CreateApiToken', { ttl: 9, name: names[at] })
    for (const watcher of watchers) {
      const events = await eventsUntil(watcher, ({ name }) => name === names.at(-1))
      assert.deepEqual(
        events.map(({ name }) => name).filter((name) => names.includes(String(name))),
        names,
      )
    }
  })

  it('a reload that any of them was asked for is in force on all when it is answered', async (t) => {
    const daemon = await startDaemon(t, { config: WORKERS })
    const admin = await mint(daemon)
    const lines = await oneOfEach(t, daemon, admin)
    const element = { jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI', params: { Token: admin } }
    for (const [at, line] of lines.entries()) {
      writeFileSync(join(daemon.directory, 'postern.toml'), `${WORKERS}[limits]\nbatch = ${at + 1}\n`)
      const answer = await line.call('system.reload', { Token: admin })
      assert.deepEqual(answer?.result, { reloaded: ['limits.batch'], need_restart: [] })
      for (const other of lines) {
        other.send(Array.from({ length: at + 2 }, () => element))
        assert.equal((await other.next())?.error?.code, -32600)
        other.send(Array.from({ length: at + 1 }, () => element))
        assert.equal(((await other.next()) as unknown as Response[]).length, at + 1)
      }
    }
    assert.equal(await reload(daemon, '[limits]\nbatch = "no"\n'), 'refused')
    for (const line of lines) assert.equal(await whoAmI(line, admin), undefined)
  })

  it(
    'a certificate that was renewed is shown by all of them after a reload',
    needsProgram('openssl'),
    async (t) => {
      const directory = temporaryDirectory(t)
      const [first, second] = [
        await makeCertificate(directory, 'first'),
        await makeCertificate(directory, 'second'),
      ]
      const live = { cert: join(directory, 'live.crt'), key: join(directory, 'live.key') }
      const install = ({ cert, key }: typeof live) => {
        copyFileSync(cert, live.cert)
        copyFileSync(key, live.key)
      }
      install(first)
      const place = new Address(first.cert)
      const remote = `[[remote]]\nlisten = "${place}"\ncert = "${live.cert}"\nkey = "${live.key}"\n`
      const daemon = await startDaemon(t, { directory, config: WORKERS + remote })
      const admin = await mint(daemon)
      const shown = async () => {
        const census = await Census.begin(t, daemon, admin)
        const sockets = await onEachWorker(census, 1, () =>
          handshake(t, place, { rejectUnauthorized: false }),
        )
        return new Set(sockets.flat().map((socket) => socket.getPeerCertificate().fingerprint256))
      }
      const before = await shown()
      install(second)
      assert.equal(await reload(daemon), 'taken')
      const now = await shown()
      assert.deepEqual([before.size, now.size], [1, 1])
      assert.notDeepEqual(now, before)
    },
  )

  it('what was acknowledged on any of them survives a kill', async (t) => {
    const daemon = await startDaemon(t, { config: WORKERS })
    const admin = await mint(daemon)
    const lines = await oneOfEach(t, daemon, admin)
    const acknowledged: string[] = []
    const mintOn = async (line: Lines) => {
      for (let answer = await line.call('Auth.CreateApiToken', { ttl: 0 }); answer; ) {
        acknowledged.push(String(answer.result))
        answer = await line.call('Auth.CreateApiToken', { ttl: 0 })
      }
    }
    const minting = lines.map(mintOn)
    await until('some are minted', () => acknowledged.length > 300)
    await daemon.stop('SIGKILL')
    await Promise.all(minting)
    const next = await startDaemon(t, { directory: daemon.directory, config: WORKERS })
    const [line] = await oneOfEach(t, next, admin)
    assert.equal(new Set(acknowledged).size, acknowledged.length)
    for (const token of acknowledged) assert.equal(await whoAmI(line as Lines, token), undefined)
    assert.equal((await ok<{ count: number }>(next, 'store.check', {}, admin)).count, 0)
  })

  it('all of them finish what they do and write what they have seen when the daemon is stopped', async (t) => {
    const config = `${WORKERS}[tokens]\nlast_access_flush = "1h"\n`
    const daemon = await startDaemon(t, { config })
    const admin = await mint(daemon)
    const made = []
    for (const line of await oneOfEach(t, daemon, admin)) {
      const one = await make(daemon, admin)
      made.push(one.tokenid)
      await whoAmI(line, one.token)
      for (let guess = 0; guess < 3; guess++) await whoAmI(line, 'unknown')
      for (let n = 0; n < 20; n++)
        line.send({ jsonrpc: '2.0', id: 1, method: 'Auth.CreateApiToken', params: { ttl: 0 } })
    }
    assert.equal(await daemon.stop(), 0)
    assert.doesNotMatch(daemon.log(), /"level":[56]0/)
    const next = await startDaemon(t, { directory: daemon.directory, config })
    const params = { tokenids: made, output: ['lastaccess'] }
    const found = await ok<{ lastaccess: string }[]>(next, 'token.get', params, admin)
    assert.equal(found.length, made.length)
    for (const { lastaccess } of found) assert.ok(Number(lastaccess) > 0)
    const [line] = await ok<{ token: number }[]>(next, 'audit.get', { event: 'refusals' }, admin)
    assert.equal(line?.token, 9)
  })

  it('the database is opened anew after a failed write, on all of them', needsRoot('strace'), async (t) => {
    const daemon = await startDaemon(t, { config: WORKERS, env: { UV_THREADPOOL_SIZE: '1' } })
    const admin = await mint(daemon)
    const unused = await mint(daemon)
    const lines = await oneOfEach(t, daemon, admin)
    const minted = async (line: Lines) => (await line.call('Auth.CreateApiToken', { ttl: 0 })) as Response
    const errors = ['fdatasync:error=EIO:when=1', NOT_ANEW]
    const faults = await inject(t, daemon, errors, filesOf(daemon.stateDir, '.log'))
    const unknown = await minted(lines[1] as Lines)
    assert.match(unknown.error?.data ?? '', /may or may not have happened/)
    for (const line of lines) {
      assert.match((await minted(line)).error?.data ?? '', /does not take this now/)
      assert.equal(await whoAmI(line, unused), undefined)
    }
    await faults.stop()
    const isReady = async () =>
      (await http(daemon, undefined, { method: 'GET', path: '/readyz' })).status === 200
    await until('the daemon is ready again', isReady, 20_000)
    for (const line of lines) {
      const { result } = await minted(line)
      for (const other of lines) assert.equal(await whoAmI(other, String(result)), undefined)
    }
    assert.equal(await daemon.stop(), 0)
  })

  it('a program cannot have them, since its methods do not cross over', async (t) => {
    const stateDir = temporaryDirectory(t)
    const config = join(stateDir, 'postern.toml')
    writeFileSync(config, WORKERS)
    const refusal = { name: 'Complaint', message: /has one worker: methods of its own cannot cross over/ }
    await assert.rejects(startWithin({ stateDir, config }), refusal)
  })

  it('their number is told, and nonsense refused', async (t) => {
    const daemon = await startDaemon(t, { config: WORKERS })
    const status = await postern(['status', '--socket', daemon.socket, '--json'])
    assert.equal(JSON.parse(status.stdout).workers, 3)
    const { json } = await call(daemon, 'system.info', {}, { token: await mint(daemon) })
    assert.equal((json.result as { workers?: number }).workers, 3)
    for (const value of ['0', '65', '"many"', '1.5']) {
      const directory = temporaryDirectory(t)
      await assert.rejects(
        startDaemon(t, { directory, config: `[listen]\nworkers = ${value}\n` }),
        /number of threads/,
      )
    }
  })
})
