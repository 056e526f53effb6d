import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { postern, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { assertForbidden, assertMinted } from '../support/minting.ts'
import { call } from '../support/talk.ts'

/** As on a system whose kernel cannot be asked: the library that asks it is not there. */
const WITHOUT_LIBRARY = `
  const { Module } = require('node:module')
  const load = Module._load
  Module._load = function (name, ...rest) {
    if (name === 'koffi') throw new Error('not installed')
    return load.call(this, name, ...rest)
  }`

describe('where the kernel cannot be asked', () => {
  it('TCP mints nothing, the mode of the Unix socket decides, and the status says so', async (t) => {
    const directory = temporaryDirectory(t)
    const preload = join(directory, 'without-library.cjs')
    writeFileSync(preload, WITHOUT_LIBRARY)
    const daemon = await startDaemon(t, { directory, env: { NODE_OPTIONS: `--require ${preload}` } })
    assertMinted(await call(daemon, 'Auth.CreateApiToken', { ttl: 60 }))
    assertForbidden(await call(daemon, 'Auth.CreateApiToken', { ttl: 60 }, { door: 'tcp' }))
    const { stdout } = await postern(['status', '--socket', daemon.socket])
    assert.deepEqual(JSON.parse(stdout).local, { unix: 'file mode', tcp: 'nobody' })
    assert.match(daemon.log(), /whoever may open it may mint/)
    assert.match(daemon.log(), /only the Unix socket mints/)
  })
})
