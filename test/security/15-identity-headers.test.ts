import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Daemon, ROOT, type Scope, startDaemon } from '../support/daemon.ts'
import { freePort, proxyWith } from '../support/gates.ts'
import { needsRoot } from '../support/root.ts'
import { mint } from '../support/talk.ts'

/** Services that believe X-Postern-* believe whoever can send it: only the gate may (pitfall 15). */

const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const IDENTITY = ['x-postern-user', 'x-postern-user-id', 'x-postern-token-id', 'x-postern-scopes']

/** The README's block of a language, with the ports of this test in the place of those that are printed. */
function printed(language: string, ports: Readonly<Record<string, number>>): string {
  const [, block] = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(README) ?? []
  assert.ok(block !== undefined, `the README has a block for ${language}`)
  return block.replace(/8080|8378|9000/g, (port) => String(ports[port]))
}

/** What stands behind the gate: it tells what it was sent. */
async function service(t: Scope): Promise<{ port: number; seen: IncomingHttpHeaders[] }> {
  const seen: IncomingHttpHeaders[] = []
  const server: Server = createServer((req, res) => {
    seen.push(req.headers)
    res.end('served')
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return { port: (server.address() as AddressInfo).port, seen }
}

for (const language of ['nginx', 'caddyfile'] as const) {
  describe(`the ${language} block of the README`, needsRoot('nginx', 'caddy'), () => {
    const cleanUps: (() => void)[] = []
    let daemon: Daemon
    let behind: Awaited<ReturnType<typeof service>>
    let front: number
    before(async () => {
      const scope: Scope = { after: (cleanUp) => cleanUps.push(cleanUp) }
      const remote = await freePort()
      front = await freePort()
      behind = await service(scope)
      const [, toml] = /```toml\n(\[\[remote\]\]\nlisten = "127.0.0.1:8378".*?)```/s.exec(README) ?? []
      const config = (toml ?? '').replace('8378', String(remote))
      daemon = await startDaemon(scope, { config })
      const ports = { 8080: front, 8378: remote, 9000: behind.port }
      await proxyWith(scope, language, printed(language, ports), front)
    })
    after(() => {
      for (const cleanUp of cleanUps) cleanUp()
    })

    const get = (path: string, headers: Record<string, string>, method = 'GET') =>
      fetch(`http://127.0.0.1:${front}${path}`, { headers, method, redirect: 'manual' })

    it('lets a request through whose token has the scope of its route, and says who it is', async () => {
      const token = await mint(daemon, { ttl: 0, scopes: ['files.read'] })
      const { status } = await get('/files/a?b=c', { Authorization: `Bearer ${token}` })
      assert.equal(status, 200)
      const [user, userId, tokenId, scopes] = IDENTITY.map((name) => behind.seen.at(-1)?.[name])
      assert.deepEqual([user, userId, scopes], ['Admin', '1', 'files.read'])
      assert.match(String(tokenId), /^\d+$/)
      assert.equal(behind.seen.at(-1)?.authorization, undefined)
    })

    it('takes away what the outside sends of it, in any spelling', async () => {
      const token = await mint(daemon, { ttl: 0, scopes: ['files.read'] })
      const forged = [...IDENTITY, ...IDENTITY.map((name) => name.replaceAll('-', '_')), 'X-POSTERN_USER']
      const headers = Object.fromEntries(forged.map((name) => [name, 'forged']))
      assert.equal((await get('/files/a', { ...headers, Authorization: `Bearer ${token}` })).status, 200)
      const sent = JSON.stringify(behind.seen.at(-1))
      assert.ok(!sent.includes('forged'), sent)
    })

    it('refuses a token without the scope with 403, none and a bad one with 401, and nothing reaches the service', async () => {
      const other = await mint(daemon, { ttl: 0, scopes: ['files.write'] })
      const before = behind.seen.length
      assert.equal((await get('/files/a', { Authorization: `Bearer ${other}` })).status, 403)
      for (const headers of [{}, { Authorization: 'Bearer nonsense' }, { Authorization: 'Basic eDp5' }]) {
        const { status, headers: told } = await get('/files/a', headers as Record<string, string>)
        assert.deepEqual([status, told.get('www-authenticate')?.startsWith('Bearer')], [401, true])
      }
      assert.equal(behind.seen.length, before)
    })

    it('refuses what no route is about, and paths that can be read in two ways', async () => {
      const token = await mint(daemon, { ttl: 0 })
      const authorized = { Authorization: `Bearer ${token}` }
      for (const path of [
        '/other',
        '/files',
        '/files/%2e%2e/x',
        '/files//a',
        '/files/a;b',
        '/files/a%5cb',
        '/files/%61',
      ])
        assert.equal((await get(path, authorized)).status, 403, path)
      assert.equal((await get('/files/a', authorized, 'DELETE')).status, 403)
    })

    it('is not talked into another route by headers of the outside', async () => {
      const token = await mint(daemon, { ttl: 0 })
      for (const name of ['X-Original-URI', 'X-Forwarded-Uri', 'X-Original-Method', 'X-Forwarded-Method']) {
        const value = name.endsWith('Method') ? 'GET' : '/files/a'
        const { status } = await get('/secret', { Authorization: `Bearer ${token}`, [name]: value }, 'DELETE')
        assert.equal(status, 403, name)
      }
    })
  })
}
