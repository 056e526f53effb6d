import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Scope, temporaryDirectory, until } from '../../support/daemon.ts'
import type { SeededTokens } from '../load/plan.ts'
import type { DiskOrder, MintRows } from './disk.ts'

/** Where a server listens: on both of the daemon's doors. */
export interface Server {
  readonly socket: string
  readonly port: number
  readonly pid: number
}

/** Starts a bare server in a process of its own. `results`: what it answers to each method. */
export function startBare(
  scope: Scope,
  kind: 'http' | 'lines' | 'websocket',
  results: Readonly<Record<string, unknown>>,
): Promise<Server> {
  return startServer(scope, kind, JSON.stringify(results))
}

/** Starts redis, synced at every write, and a server in front of it that sets `value` under a new key at each call. */
export async function startRedis(scope: Scope, value: string): Promise<Server> {
  return startServer(scope, 'redis', value, await spawnRedis(scope))
}

/** Starts redis, synced at every write, and tells its Unix socket. */
export async function spawnRedis(scope: Scope): Promise<string> {
  const directory = temporaryDirectory(scope)
  const socket = join(directory, 'redis.sock')
  const options = {
    port: '0',
    unixsocket: socket,
    dir: directory,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
  }
  const args = Object.entries(options).flatMap(([key, text]) => [`--${key}`, text])
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  child.on('error', () => {}) // until() says that it is not there
  scope.after(() => child.kill('SIGKILL'))
  await until('redis listens', () => existsSync(socket))
  return socket
}

async function startServer(scope: Scope, kind: string, what: string, ...more: string[]): Promise<Server> {
  const socket = join(temporaryDirectory(scope), 'bare.sock')
  const child = start(scope, kind, [what, socket, ...more])
  const { port } = (await heard(child)) as { port: number }
  return { socket, port, pid: child.pid as number }
}

/** Who writes to the disk what mints write, without any daemon. */
export interface Disk {
  /** Mints per second, so many in a synced batch; with 0, blocks per second, each with its fdatasync. */
  write(writers: number, milliseconds: number): Promise<number>
}

export async function startDisk(scope: Scope, rows: MintRows): Promise<Disk> {
  const child = start(scope, 'disk', [JSON.stringify(rows), join(temporaryDirectory(scope), 'db')])
  await heard(child)
  return {
    async write(writers, milliseconds) {
      const order: DiskOrder = { writers, milliseconds }
      child.send(order)
      return (await heard(child)) as number
    },
  }
}

/** Who reads the store of a daemon that was not started yet, without any daemon. */
export interface Reads {
  /** Microseconds of processor time for each read. */
  read(milliseconds: number): Promise<number>
}

export async function startReads(
  scope: Scope,
  directory: string,
  { file, count }: SeededTokens,
): Promise<Reads> {
  const child = start(scope, 'reads', [directory, file, String(count)])
  await heard(child)
  return {
    async read(milliseconds) {
      child.send(milliseconds)
      return (await heard(child)) as number
    },
  }
}

function start(scope: Scope, kind: string, args: readonly string[]): ChildProcess {
  const program = fileURLToPath(new URL(`${kind}.ts`, import.meta.url))
  const child = fork(program, args, { execArgv: ['--import', 'tsx'] })
  scope.after(() => child.kill('SIGKILL'))
  return child
}

/** The next thing that a process says. */
export async function heard(child: ChildProcess): Promise<unknown> {
  const stop = new AbortController()
  const { signal } = stop
  const ended = once(child, 'exit', { signal }).then(() => {
    throw new Error(`${child.spawnargs.join(' ').slice(0, 200)} has ended`)
  })
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), ended])
    return message
  } finally {
    ended.catch(() => {})
    stop.abort()
  }
}
