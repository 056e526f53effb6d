import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Scope } from './daemon.ts'

const PROGRAM = fileURLToPath(new URL('bare-server.mjs', import.meta.url))

/** An HTTP server of Node's own, in a process of its own. */
export interface Bare {
  readonly pid: number
  readonly socket: string
  readonly port: number
}

export async function startBare(scope: Scope, socket: string): Promise<Bare> {
  const child = spawn(process.execPath, [PROGRAM, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  scope.after(() => child.kill('SIGKILL'))
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return { pid: child.pid as number, socket, port: Number(port) }
}
