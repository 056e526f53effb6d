import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT, type Scope, temporaryDirectory } from '../../support/daemon.ts'
import type { SeededTokens } from '../load/plan.ts'
import { heard } from './start.ts'

const SOURCES = fileURLToPath(new URL('../peers/', import.meta.url))
/** Beside our own packages, so that nobody takes theirs (and their tests) for a part of ours. */
const FOLDER = join(ROOT, 'node_modules/.cache/postern-peers')
const LOCKFILE = 'package-lock.json'
/** A copy of the lockfile that was installed from: what is there is what it names. */
const INSTALLED = join(FOLDER, 'node_modules/.installed')
/** The plugin of better-auth and better-auth itself disagree about what they need. */
const INSTALL = ['ci', '--legacy-peer-deps', '--no-audit', '--no-fund']
const MOST_ERRORS = 2_000

/** A server of somebody else's, and tokens that it accepts. */
export interface Peer {
  readonly port: number
  readonly pid: number
  readonly tokens: SeededTokens
}

/** Installs the others from their lockfile, unless that was done already. */
export async function installPeers(say: (line: string) => void): Promise<void> {
  cpSync(SOURCES, FOLDER, { recursive: true })
  const lockfile = readFileSync(join(FOLDER, LOCKFILE), 'utf8')
  if (existsSync(INSTALLED) && readFileSync(INSTALLED, 'utf8') === lockfile) return
  say('   installing the others: minutes, where SQLite has to be compiled')
  const child = spawn('npm', INSTALL, { cwd: FOLDER, stdio: ['ignore', 'ignore', 'pipe'] })
  const told = errorsOf(child)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`npm ${INSTALL.join(' ')} in ${FOLDER}: ${told()}`)
  writeFileSync(INSTALLED, lockfile)
}

/** Starts the server of a file in peers/. */
export async function startPeer(scope: Scope, name: string, count: number, ...more: string[]): Promise<Peer> {
  const args = [temporaryDirectory(scope), String(count), ...more]
  const child = fork(join(FOLDER, `${name}.mjs`), args, {
    execArgv: [],
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  scope.after(() => child.kill('SIGKILL'))
  const told = errorsOf(child)
  try {
    const { port, file } = (await heard(child)) as { port: number; file: string }
    return { port, pid: child.pid as number, tokens: { file, count, firstId: 0 } }
  } catch (error) {
    throw new Error(told(), { cause: error })
  }
}

/** The last that it has said of what went wrong. */
function errorsOf({ stderr }: ChildProcess): () => string {
  let text = ''
  stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-MOST_ERRORS)
  })
  return () => text
}
