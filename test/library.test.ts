import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { connect, RpcError } from '../src/client/index.ts'
import {
  array,
  type DaemonOptions,
  Failure,
  integer,
  type Method,
  method,
  object,
  optional,
  startDaemon,
  text,
} from '../src/index.ts'
import type { OpenRpcDocument } from '../src/methods/openrpc.ts'
import { run, type Scope, temporaryDirectory } from './support/daemon.ts'
import { blocksBelow, check, programFolder } from './support/program.ts'

const TSX = import.meta.resolve('tsx')

const sum = method({
  name: 'math.sum',
  summary: 'The sum of numbers.',
  access: 'user',
  effect: 'read',
  params: object({
    terms: array(integer({ min: 0, max: 100 }), { max: 10 }),
    label: optional(text({ max: 9 })),
  }),
  result: text({ max: 99 }),
  handler: ({ terms, label = 'sum' }, { user }) =>
    `${label} for ${user.username}: ${terms.reduce((one, other) => one + other, 0)}`,
})

const failing = method({
  name: 'math.fail',
  summary: 'Nothing.',
  access: 'superadmin',
  effect: 'write',
  params: object({ how: text({ max: 9 }) }),
  result: integer({ min: 0, max: 0 }),
  handler({ how }) {
    throw how === 'known'
      ? new Failure('conflict', 'It is so already.')
      : new Error('a secret of the program')
  },
})

async function daemonWith(t: Scope, options: Partial<DaemonOptions> = {}) {
  const daemon = await startDaemon({ stateDir: join(temporaryDirectory(t), 'state'), ...options })
  t.after(() => void daemon.close())
  const local = connect({ socket: daemon.socket })
  const clientWith = async (scopes: string[], more = {}) =>
    connect({
      url: `http://127.0.0.1:${daemon.port}/api/`,
      token: await local.call('Auth.CreateApiToken', { ttl: 0, scopes, ...more }),
    })
  return { daemon, local, clientWith }
}

describe('a daemon within a program', () => {
  it('has rows of the program behind the same door', async (t) => {
    const { daemon, local, clientWith } = await daemonWith(t, { methods: [sum, failing] })
    const client = await clientWith(['math.*'])
    assert.equal(await client.call('math.sum', { terms: [1, 2] }), 'sum for Admin: 3')
    assert.equal(await client.call('math.sum', [[1, 2], 'two']), 'two for Admin: 3')
    await assert.rejects(client.call('math.sum', { terms: [101] }), {
      name: 'RpcError',
      code: -32602,
      data: 'Invalid parameter "/terms/1": value must be one of 0-100.',
    })
    await assert.rejects(local.call('math.sum', { terms: [] }), { code: -32001 })
    await assert.rejects((await clientWith(['token.*'])).call('math.sum', { terms: [] }), { code: -32003 })
    await assert.rejects(client.call('math.fail', { how: 'known' }), {
      code: -32009,
      data: 'It is so already.',
    })
    await assert.rejects(client.call('math.fail', { how: 'else' }), (error: RpcError) => {
      return error instanceof RpcError && error.code === -32603 && !JSON.stringify(error).includes('secret')
    })
    await daemon.close()
    await daemon.close()
  })

  it('lists them, explains them, and limits them like its own', async (t) => {
    const config = join(temporaryDirectory(t), 'own.toml')
    // The narrower of two rates holds: no bucket fills again meanwhile.
    writeFileSync(config, '[rate]\nper_token = "1/h"\nburst = 100\n')
    const { clientWith } = await daemonWith(t, { methods: [sum], config })
    const all = await clientWith(['*'])
    const { methods } = await all.call<OpenRpcDocument>('rpc.discover')
    assert.deepEqual(
      methods.filter(({ name }) => name.startsWith('math.')).map(({ name, params }) => [name, params.length]),
      [['math.sum', 2]],
    )
    const { tokenid } = await all.call('Auth.WhoAmI')
    assert.equal((await all.call('token.explain', { tokenid, method: 'math.sum' })).allowed, true)
    const limited = await clientWith(['math.sum'], { max_uses: 1 })
    await limited.call('math.sum', { terms: [] })
    await assert.rejects(limited.call('math.sum', { terms: [] }), { code: -32001 })
    const slow = await clientWith(['math.sum'], { rate_limit: { per_second: 1, burst: 1 } })
    await slow.call('math.sum', { terms: [] })
    await assert.rejects(slow.call('math.sum', { terms: [] }), { code: -32029 })
  })

  it('has their writes in the audit log, and their reads not', async (t) => {
    const { clientWith } = await daemonWith(t, { methods: [sum, failing] })
    const client = await clientWith(['*'])
    const { tokenid } = await client.call('Auth.WhoAmI')
    await client.call('math.sum', { terms: [1] })
    await assert.rejects(client.call('math.fail', {}), { code: -32602 }) // is not made
    await assert.rejects(client.call('math.fail', { how: 'known' }))
    const lines = await client.call<{ method?: string; by: { token?: string } }[]>('audit.get', {
      event: 'method.call',
    })
    assert.deepEqual(
      lines.map(({ method: name, by }) => [name, by.token]),
      [['math.fail', tokenid]],
    )
  })

  it('refuses rows that take the place of others, that no scope could name, or that need no token', async (t) => {
    const stateDir = temporaryDirectory(t)
    const refused = (methods: readonly Method[], message: RegExp) =>
      assert.rejects(startDaemon({ stateDir, methods }), { name: 'Complaint', message })
    for (const name of ['Auth.WhoAmI', 'auth.whoami', 'token.create', 'apiinfo.version'])
      await refused([{ ...sum, name }], /take the place of a method of its own/)
    await refused([sum, { ...failing, name: 'Math.Sum' }], /take the place of another one/)
    await refused([{ ...sum, name: 'rpc.sum' }], /JSON-RPC keeps/)
    for (const name of ['', '*', 'math.*', 'math..sum', 'math sum'])
      await refused([{ ...sum, name }], /no name that a scope could have/)
    await refused([{ ...sum, access: 'local' }], /need a token/)
    await refused([{ ...sum, access: 'toString' as 'user' }], /need a token/)
  })

  it('reads the configuration that it is given, and no other', async (t) => {
    const folder = temporaryDirectory(t)
    const config = join(folder, 'own.toml')
    writeFileSync(config, '[limits]\nbatch = "many"\n')
    process.env.POSTERN_LIMITS_BATCH = 'nonsense'
    t.after(() => delete process.env.POSTERN_LIMITS_BATCH)
    await (await startDaemon({ stateDir: folder })).close()
    await assert.rejects(startDaemon({ stateDir: folder, config }), { message: /own\.toml: limits\.batch/ })
    await assert.rejects(startDaemon({ stateDir: '' }), { name: 'Complaint' })
  })

  it('types the parameters, the result and the caller of a row', async (t) => {
    const folder = programFolder(t)
    const program = (access: string, handler: string) => `
      import { integer, method, object, optional, type TokenCaller } from 'postern'
      export const row = method({
        name: 'a.b', summary: '', access: '${access}', effect: 'read',
        params: object({ a: integer({ min: 0, max: 1 }), b: optional(integer({ min: 0, max: 1 })) }),
        result: integer({ min: 0, max: 1 }),
        handler: ${handler},
      })
      export const nameOf = ({ user }: TokenCaller): string => user.username`
    const good = await check(
      folder,
      program('user', '({ a, b = 0 }, { user }) => a + b + user.username.length'),
    )
    assert.deepEqual([good.code, good.stdout], [0, ''])
    for (const handler of ['({ c }) => 1', '({ a }) => a.length', '({ b }) => b + 1', "() => 'text'"])
      assert.notEqual((await check(folder, program('user', handler))).code, 0, handler)
    assert.notEqual((await check(folder, program('local', '() => 1'))).code, 0)
  })
})

describe('what the README shows of the library', () => {
  const [daemonBlock = '', clientBlock = ''] = blocksBelow('### As a library')

  it('has the right types', async (t) => {
    const folder = programFolder(t)
    for (const block of [daemonBlock, clientBlock]) {
      const { code, stdout } = await check(folder, block)
      assert.deepEqual([code, stdout], [0, ''])
    }
  })

  it('runs', async (t) => {
    const folder = programFolder(t)
    // Any other port than the one that the README names will do, so that no daemon of this host is in the way.
    writeFileSync(join(folder, 'daemon.ts'), daemonBlock.replaceAll('8377', '0'))
    const child = spawn(process.execPath, ['--import', TSX, 'daemon.ts'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill('SIGKILL'))
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const [, port = ''] = /^listening on .*postern\.sock and port (\d+)$/.exec(line) ?? []
    writeFileSync(join(folder, 'client.ts'), clientBlock.replaceAll('8377', port))
    const { code, stdout, stderr } = await run(process.execPath, ['--import', TSX, 'client.ts'], {
      cwd: folder,
    })
    assert.equal(code, 0, stderr)
    assert.deepEqual(stdout.split('\n').slice(0, 2), ['42', '-32602 Nobody divides by zero, Admin.'])
  })
})
