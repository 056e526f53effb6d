import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Scope, temporaryDirectory } from '../../support/daemon.ts'

/** Where a server listens: on both of the daemon's doors. */
export interface Server {
  readonly socket: string
  readonly port: number
}

/** Starts a bare server in a process of its own. `results`: what it answers to each method. */
export async function startBare(
  scope: Scope,
  kind: 'http' | 'lines' | 'websocket',
  results: Readonly<Record<string, unknown>>,
): Promise<Server> {
  const program = fileURLToPath(new URL(`${kind}.ts`, import.meta.url))
  const socket = join(temporaryDirectory(scope), 'bare.sock')
  const child = fork(program, [JSON.stringify(results), socket], { execArgv: ['--import', 'tsx'] })
  scope.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the bare ${kind} server has ended at its start`)
  })
  const [place] = await Promise.race([once(child, 'message'), ended])
  ended.catch(() => {}) // at the end of the measurement
  return place as Server
}
