import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Daemon, type Scope, startDaemon, temporaryDirectory, until } from '../../support/daemon.ts'
import { freePort } from '../../support/gates.ts'
import { needsProgram } from '../../support/root.ts'
import { call, mint, webSocket } from '../../support/talk.ts'

interface Told {
  readonly id?: string
  readonly method?: string
  readonly result?: string
  readonly params: readonly { readonly gid: string }[]
}

const SECRET = 'gate-keeps-this'

/** A service of Debian's, until the test ends. */
function start(t: Scope, program: string, args: readonly string[]): void {
  const child = spawn(program, args, { stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, '127.0.0.1')
    probe.on('connect', () => resolve(true)).on('error', () => resolve(false))
    probe.on('connect', () => probe.destroy())
  })
}

async function behind(t: Scope, upstream: string): Promise<Daemon> {
  return startDaemon(t, { config: `[[upstream]]\n${upstream}` })
}

async function error(daemon: Daemon, method: string, params: unknown, token: string): Promise<unknown> {
  const { status, json } = await call(daemon, method, params, { token })
  return [status, json.error?.code]
}

describe('aria2 behind the gate', needsProgram('aria2c'), () => {
  for (const scheme of ['http', 'ws']) {
    it(`over ${scheme} may be read, and not written, by a token that may read`, async (t) => {
      const directory = temporaryDirectory(t)
      const port = await freePort()
      start(t, 'aria2c', [
        ...['--enable-rpc', `--rpc-listen-port=${port}`, `--rpc-secret=${SECRET}`],
        ...[`--dir=${directory}`, '--quiet', '--no-conf'],
      ])
      await until('aria2 listens', () => answers(port))
      const file = join(directory, 'secret')
      writeFileSync(file, `token:${SECRET}\n`)
      const daemon = await behind(
        t,
        `name = "aria2"\nnamespace = "aria2."\nurl = "${scheme}://127.0.0.1:${port}/jsonrpc"
         credential = { kind = "param", file = "${file}" }`,
      )
      const reader = await mint(daemon, {
        ttl: 0,
        scopes: ['aria2.tellStatus', 'aria2.tellActive', 'rpc.discover'],
      })
      await until('its methods are known', async () => {
        const { json } = await call(daemon, 'rpc.discover', undefined, { token: reader })
        return (json.result as { methods: { name: string }[] }).methods.some(
          ({ name }) => name === 'aria2.addUri',
        )
      })
      assert.deepEqual((await call(daemon, 'aria2.tellActive', [], { token: reader })).json.result, [])
      assert.deepEqual(await error(daemon, 'aria2.addUri', [['http://127.0.0.1:9/']], reader), [403, -32003])
      assert.deepEqual(await error(daemon, 'aria2.tellStatus', ['nope'], reader), [400, 1])
      const refused = await call(daemon, 'aria2.getGlobalOption', [`token:${SECRET}`], { token: reader })
      assert.equal(refused.status, 403)
    })
  }

  it('tells of its downloads whoever has called and may see it', async (t) => {
    const directory = temporaryDirectory(t)
    const port = await freePort()
    const files = createServer((_req, res) => res.end('content')).listen(0, '127.0.0.1')
    t.after(() => files.close())
    await once(files, 'listening')
    const { port: filePort } = files.address() as { port: number }
    start(t, 'aria2c', [
      ...['--enable-rpc', `--rpc-listen-port=${port}`, `--rpc-secret=${SECRET}`],
      ...[`--dir=${directory}`, '--quiet', '--no-conf'],
    ])
    await until('aria2 listens', () => answers(port))
    const file = join(directory, 'secret')
    writeFileSync(file, `token:${SECRET}`)
    const daemon = await behind(
      t,
      `name = "aria2"\nnamespace = "aria2."\nurl = "ws://127.0.0.1:${port}/jsonrpc"
       credential = { kind = "param", file = "${file}" }`,
    )
    const [all, some] = [await mint(daemon), await mint(daemon, { ttl: 0, scopes: ['aria2.getVersion'] })]
    const listener = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${all}` } })
    const other = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${some}` } })
    await until('aria2 is known', async () => (await other.call('aria2.getVersion')).result !== undefined)
    const params = [[`http://127.0.0.1:${filePort}/file`]]
    listener.send({ jsonrpc: '2.0', id: 'add', method: 'aria2.addUri', params })
    // The order is nobody's promise: on a busy machine the end of the download is told before the answer, too.
    const heard: Told[] = []
    const answer = () => heard.find(({ id }) => id === 'add')
    const told = () => heard.find(({ method }) => method === 'aria2.onDownloadStart')
    while (answer() === undefined || told() === undefined)
      heard.push((await listener.next()) as unknown as Told)
    const gid = answer()?.result
    assert.match(String(gid), /^[0-9a-f]{16}$/)
    assert.equal(told()?.params[0]?.gid, gid)
    assert.deepEqual(other.inbox, [])
  })
})

describe('snapserver behind the gate', needsProgram('snapserver'), () => {
  it('may be read, and not written, by a token that may read', async (t) => {
    const directory = temporaryDirectory(t)
    const [control, stream] = [await freePort(), await freePort()]
    start(t, 'snapserver', [
      ...[`--tcp.port=${control}`, `--stream.port=${stream}`, '--http.enabled=false'],
      ...[`--server.datadir=${directory}`, `--stream.source=pipe://${directory}/fifo?name=test`],
    ])
    await until('snapserver listens', () => answers(control))
    const daemon = await behind(
      t,
      `name = "snapcast"\nnamespace = "snapcast."\nstrip = true\nurl = "tcp:127.0.0.1:${control}"
       methods = ["Server.GetStatus", "Server.GetRPCVersion", "Group.SetName"]`,
    )
    const reader = await mint(daemon, {
      ttl: 0,
      scopes: ['snapcast.Server.GetStatus', 'snapcast.Server.GetRPCVersion'],
    })
    const { json } = await call(daemon, 'snapcast.Server.GetRPCVersion', undefined, { token: reader })
    assert.equal((json.result as { major: number }).major, 2)
    const status = await call(daemon, 'snapcast.Server.GetStatus', undefined, { token: reader })
    assert.ok('server' in (status.json.result as object))
    const params = { id: 'x', name: 'y' }
    assert.deepEqual(await error(daemon, 'snapcast.Group.SetName', params, reader), [403, -32003])
    const writer = await mint(daemon)
    assert.equal(
      (await call(daemon, 'snapcast.Group.SetName', params, { token: writer })).json.error?.code,
      -32603,
    )
  })
})
