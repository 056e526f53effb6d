import { hash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'
import { connect } from '../client/index.ts'

/*
 * Starts the daemon of dist/postern.cjs in a folder of its own, lets it answer calls, and keeps what V8 has compiled by then
 * in dist/postern.cache: just what a start needs. Its argument, the digest that the program ends with, is put in front, and
 * behind that one of what was compiled.
 */
const [, , digest = ''] = process.argv
const program = resolve('dist/postern.cjs')
const main = resolve('dist/main.js')
const folder = mkdtempSync(join(tmpdir(), 'postern-build-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const config = join(folder, 'postern.toml')
const socket = join(folder, 's.sock')
writeFileSync(config, '')
const places = ['--config', config, '--state-dir', join(folder, 'state'), '--socket', socket, '--port', '0']
process.argv = [process.execPath, main, 'serve', ...places]

const script = new Script(readFileSync(program, 'latin1'), { filename: program })
script.runInThisContext()(createRequire(main), pathToFileURL(main).href)

// Where no daemon can start, nothing keeps this process waiting.
while (!existsSync(socket)) await pause(10, undefined, { ref: false })
const token = await connect({ socket }).call('Auth.CreateApiToken', { ttl: 60 })
await connect({ socket, token }).call('Auth.WhoAmI')
setFlagsFromString('--heap-growing-percent=0') // the daemon has set it: V8 refuses what was compiled under other flags
const compiled = script.createCachedData()
writeFileSync('dist/postern.cache', Buffer.concat([Buffer.from(digest + hash('sha256', compiled)), compiled]))
process.kill(process.pid, 'SIGTERM')
