import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import jayson from 'jayson/promise/index.js'
import { ROOT, run, startDaemon, temporaryDirectory } from './support/daemon.ts'
import { accepted, mint } from './support/talk.ts'

const daemon = await startDaemon({ after })
const MINT = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":{"ttl":0},"id":1}'
const WHO = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'

/** A test needs the program: elsewhere it is skipped in plain words, in CI a skip is a failure. */
function needs(program: string): { skip: string | false } {
  const there = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
  if (!there && process.env.CI === 'true')
    throw new Error(`${program} is missing, which .ci/run should have installed`)
  return { skip: !there && `${program} is not installed` }
}

describe('clients that nobody here wrote', () => {
  it('curl mints over the Unix socket and calls over loopback', needs('curl'), async () => {
    const json = ['-sS', '--fail-with-body', '-H', 'Content-Type: application/json']
    const minted = await run('curl', [
      ...json,
      '--unix-socket',
      daemon.socket,
      'http://localhost/api/',
      '-d',
      MINT,
    ])
    const { result } = JSON.parse(minted.stdout)
    const bearer = ['-H', `Authorization: Bearer ${result}`]
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      const called = await run('curl', [...json, ...bearer, `http://${host}:${daemon.port}/api/`, '-d', WHO])
      assert.equal(JSON.parse(called.stdout).result.type, 'superadmin')
    }
    const anonymous = await run('curl', [
      ...json,
      '-w',
      '%{http_code}',
      `http://127.0.0.1:${daemon.port}/api/`,
      '-d',
      WHO,
    ])
    assert.match(anonymous.stdout, /-32001.*401$/)
  })

  it('curl offers HTTP/2 and is answered', needs('curl'), async () => {
    const { stdout } = await run('curl', [
      '-sS',
      '--http2',
      '-H',
      'Content-Type: application/json',
      `http://127.0.0.1:${daemon.port}/api/`,
      '-d',
      MINT,
    ])
    assert.match(stdout, /"result":"pst_/)
  })

  it('the curl sample of aipix mints', needs('curl'), async () => {
    const { stdout } = await run('curl', [
      ...['-k', '--request', 'POST', `http://127.0.0.1:${daemon.port}/api/`],
      ...['--header', 'Content-Type: application/json', '--header', 'Accept: application/json'],
      ...['--header', 'Authorization: Bearer <api-authorization-token>', '--data', MINT],
    ])
    assert.ok(await accepted(daemon, JSON.parse(stdout).result))
  })

  it('the PHP sample of aipix mints', needs('php'), async () => {
    const program = `<?php
      $body = json_encode(['jsonrpc' => '2.0', 'method' => 'Auth.CreateApiToken', 'params' => ['ttl' => 0], 'id' => 1]);
      $header = "Content-Type: application/json\\r\\nAccept: application/json\\r\\nAuthorization: Bearer <api-authorization-token>\\r\\n";
      $context = stream_context_create(['http' => ['method' => 'POST', 'header' => $header, 'content' => $body]]);
      echo file_get_contents('http://127.0.0.1:${daemon.port}/api/', false, $context);`
    const { stdout, stderr } = await run('php', [], { input: program })
    assert.match(stdout, /"result":"pst_/, stderr)
  })

  it('nc speaks newline JSON on the Unix socket', needs('nc'), async () => {
    const token = await mint(daemon)
    const who = `{"jsonrpc":"2.0","method":"Auth.WhoAmI","params":{"Token":"${token}"},"id":2}`
    const { stdout } = await run('nc', ['-N', '-U', daemon.socket], { input: `${MINT}\n${who}` })
    const byId = Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ id, result }) => [id, result]),
    )
    assert.match(byId[1], /^pst_/)
    assert.equal(byId[2].type, 'superadmin')
  })

  it('wscat calls with the token of its upgrade', async () => {
    const token = await mint(daemon)
    const program = join(ROOT, 'node_modules/.bin/wscat')
    const wscat = async (bearer: string) => {
      const where = ['-c', `ws://127.0.0.1:${daemon.port}/api/`, '-H', `Authorization: Bearer ${bearer}`]
      const child = spawn(process.execPath, [program, ...where, '-x', WHO, '--wait=-1'])
      let told = ''
      const hear = (text: string) => {
        told += text
        if (told.includes('\n')) child.stdin.end() // it ends with its input, so that outlasts the answer
      }
      for (const output of [child.stdout, child.stderr]) output.setEncoding('utf8').on('data', hear)
      await once(child, 'close')
      return told
    }
    const [served, refused] = await Promise.all([wscat(token), wscat('nonsense')])
    assert.match(served, /"type":"superadmin"/)
    assert.match(refused, /401/)
  })

  it(
    'pyzabbix manages tokens through the Zabbix path',
    needs('/usr/bin/python3 && /usr/bin/python3 -c "import pyzabbix"'),
    async () => {
      const token = await mint(daemon)
      const program = `
import requests, pyzabbix
session = requests.Session()
session.headers['Authorization'] = 'Bearer ${token}'
api = pyzabbix.ZabbixAPI('http://127.0.0.1:${daemon.port}', session=session)
print(api.apiinfo.version())
created = api.token.create(name='by pyzabbix', expires_at=2147483647)['tokenids']
secret = api.token.generate(*created)[0]['token']
print(len(secret), api.token.get(tokenids=created, output=['name', 'expires_at']))
api.token.update(tokenid=created[0], status=1)
print(api.token.get(search={'name': 'PYZ'}, countOutput=True))
try:
    api.token.create(name='by pyzabbix')
except pyzabbix.ZabbixAPIException as error:
    print(error)
print(api.token.delete(*created), api.token.get(tokenids=created))
`
      const { stdout, stderr } = await run('/usr/bin/python3', [], { input: program })
      const lines = stdout.trim().split('\n')
      assert.match(lines[0] ?? '', /^7\./, stderr)
      assert.equal(lines[1], "64 [{'name': 'by pyzabbix', 'expires_at': '2147483647'}]")
      assert.equal(lines[2], '1')
      assert.match(lines[3] ?? '', /-32602.*API token "by pyzabbix" already exists for userid "1"\./)
      assert.match(lines[4] ?? '', /^\{'tokenids': \['\d+'\]\} \[\]$/)
    },
  )

  it('jayson mints, calls, notifies and sends batches', async () => {
    const local = jayson.Client.http({ socketPath: daemon.socket, path: '/api/' } as object)
    const { result } = await local.request('Auth.CreateApiToken', { ttl: 60 })
    assert.match(result, /^pst_/)
    const remote = jayson.Client.http({
      port: daemon.port,
      path: '/api/',
      headers: { Authorization: `Bearer ${result}` },
    })
    assert.equal((await remote.request('Auth.WhoAmI', [])).result.type, 'superadmin')
    const batch = [
      remote.request('Auth.WhoAmI', [], undefined, false),
      remote.request('nope', [], undefined, false),
    ]
    const answers = await remote.request(batch as never)
    assert.deepEqual(
      answers.map((answer: { error?: { code: number } }) => answer.error?.code),
      [undefined, -32601],
    )
  })

  it('fetch and EventTarget WebSockets of Node itself work', async () => {
    const token = await mint(daemon)
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
    const answer = await fetch(`http://127.0.0.1:${daemon.port}/api`, { method: 'POST', headers, body: WHO })
    assert.equal(((await answer.json()) as { result: { type: string } }).result.type, 'superadmin')
  })
})

/** A program that has the packed archive as its only dependency, with those versions of what that needs that are here already. */
function lockTo(directory: string, archive: string): void {
  const read = (name: string) => JSON.parse(readFileSync(join(ROOT, name), 'utf8'))
  const { version, bin, dependencies } = read('package.json')
  const program = { dependencies: { postern: `file:${archive}` } }
  const here = Object.entries<{ dev?: boolean }>(read('package-lock.json').packages)
  const packages = {
    '': program,
    'node_modules/postern': { version, bin, dependencies, resolved: `file:${archive}` },
    ...Object.fromEntries(here.filter(([path, { dev }]) => path !== '' && !dev)),
  }
  writeFileSync(join(directory, 'package.json'), JSON.stringify(program))
  const lock = { lockfileVersion: 3, requires: true, packages }
  writeFileSync(join(directory, 'package-lock.json'), JSON.stringify(lock))
}

it('a package made by npm pack serves, mints and calls when it is installed elsewhere', {
  timeout: 120_000,
}, async (t) => {
  const directory = temporaryDirectory(t)
  const packed = await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', directory], {
    cwd: ROOT,
  })
  assert.equal(packed.code, 0, packed.stderr)
  lockTo(directory, packed.stdout.trim())
  const installed = await run('npm', ['ci', '--silent', '--prefer-offline'], { cwd: directory })
  assert.equal(installed.code, 0, installed.stderr)
  const postern = join(directory, 'node_modules/.bin/postern')
  const { code, stdout } = await run(postern, ['mint', '--ttl', '1m', '--socket', daemon.socket])
  assert.equal(code, 0)
  assert.ok(await accepted(daemon, stdout.trim()))
  assert.match((await run(postern, ['serve', '--help'])).stdout, /--state-dir/)
})
