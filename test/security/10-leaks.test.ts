import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { METHODS } from '../../src/methods/index.ts'
import { postern, startDaemon } from '../support/daemon.ts'
import { call, http, mint, raw, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { env: { LOG_LEVEL: 'trace' } })

/** Every byte that lies below the state directory. */
function stored(): string {
  return readdirSync(daemon.stateDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'pepper')
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    .join('\n')
}

it('pitfalls 10 and 29: a token is in no log, no audit line, no file and no process title, whatever is done with it', async (t) => {
  const canary = await mint(daemon, { ttl: 600, name: 'canary' })
  const other = await mint(daemon)
  for (const { name } of METHODS) {
    if (name === 'Auth.RevokeApiToken') continue
    await call(daemon, name, {}, { token: canary })
    await call(daemon, name, { Token: canary })
    await call(daemon, name, { Token: canary, nonsense: canary })
    await call(daemon, name, { Token: canary }, { token: canary })
    await call(daemon, name, {}, { door: 'tcp', token: canary, headers: { Via: canary } })
  }
  for (const path of [`/api/?token=${canary}`, `/${canary}`, `/api/?x=${canary}`])
    await http(daemon, '{}', { path, token: canary })
  for (const body of [
    canary,
    `{"${canary}":`,
    `["${canary}"]`,
    `{"jsonrpc":"2.0","method":"${canary}","id":"${canary}"}`,
  ]) {
    await http(daemon, body)
    await raw(daemon, `${body}\n`)
  }
  await raw(daemon, `${canary.toUpperCase()} / HTTP/9.9\r\n${canary}\r\n\r\n`)
  const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${canary}` } })
  await ws.call('Auth.WhoAmI', { Token: canary })
  await ws.call(canary, [canary])
  const status = await postern(['status', '--socket', daemon.socket], { env: { POSTERN_TOKEN: canary } })
  const audit = await call(daemon, 'audit.get', { limit: 1000 }, { token: other })
  const title =
    readFileSync(`/proc/${daemon.pid}/cmdline`, 'latin1') + readFileSync(`/proc/${daemon.pid}/comm`, 'latin1')
  await daemon.stop()
  for (const [where, text] of Object.entries({
    log: daemon.log(),
    audit: audit.body,
    files: stored(),
    title,
    status: status.stdout,
  })) {
    assert.ok(text.length > 5, `${where} was looked at`)
    assert.ok(!text.includes(canary), `the canary is in the ${where}`)
    assert.ok(!text.includes(canary.slice(4, 47)), `a part of the canary is in the ${where}`)
  }
})
