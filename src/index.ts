import { join, resolve } from 'node:path'
import pino, { type Logger } from 'pino'
import { type Config, loadConfig } from './config.ts'
import { startDaemon as start } from './daemon.ts'
import type { Inherited } from './linux/activation.ts'
import type { Method } from './methods/method.ts'
import { refuseUnfit } from './own-methods.ts'
import { Complaint } from './protocol/complaint.ts'

export type { TokenCaller } from './auth/caller.ts'
export type { Method } from './methods/method.ts'
export { method, type OwnMethod } from './own-methods.ts'
export { Complaint } from './protocol/complaint.ts'
export { Failure, type FailureName } from './protocol/failures.ts'
export {
  array,
  boolean,
  described,
  type Infer,
  id,
  integer,
  object,
  oneOf,
  optional,
  type Schema,
  shape,
  text,
} from './protocol/schema.ts'

export interface DaemonOptions {
  /** The folder where tokens are kept; it is made where it is not there. One daemon at a time has it. */
  readonly stateDir: string
  /** Path of the Unix socket; `postern.sock` in stateDir where left out. */
  readonly socket?: string | undefined
  /** Of loopback; 0, or left out: a free one. */
  readonly port?: number | undefined
  /** A configuration file (TOML). Without one there are the defaults: neither the environment nor the host's files are read. */
  readonly config?: string | undefined
  /** Methods beside the daemon's own, made with method(). */
  readonly methods?: readonly Method[] | undefined
  /** Where the daemon says what happens; `silent` where left out. */
  readonly log?: 'silent' | Logger | undefined
}

/** A daemon within this process. */
export interface RunningDaemon {
  /** Absolute path of the Unix socket. Whoever is local may mint on it: this process, for one. */
  readonly socket: string
  /** The port on 127.0.0.1 and ::1. */
  readonly port: number
  /** Stops accepting, finishes calls in flight, closes the store. May be called again. */
  close(): Promise<void>
}

const NOTHING_INHERITED: Inherited = { unix: [], tcp: [], remote: [], diag: [] }

/**
 * Starts a daemon in this process, with methods of the program's own behind the same door: they are called with the same
 * tokens, and scopes, limits and rpc.discover know them. Throws Complaint (message, hint) for what is to be put right first.
 */
export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  const { methods = [], log = 'silent' } = options
  refuseUnfit(methods)
  const reread = () => configOf(options)
  const config = reread()
  refuseWorkers(config)
  const daemon = await start(config, {
    log: log === 'silent' ? pino({ level: 'silent' }) : log,
    inherited: NOTHING_INHERITED,
    reread,
    methods,
  })
  const { socket, port } = daemon
  if (port === undefined) throw new Error('the loopback door has no port, though none was inherited')
  let closed: Promise<void> | undefined
  return {
    socket,
    port,
    close() {
      closed ??= daemon.close()
      return closed
    },
  }
}

/** Another thread has none of this one's functions. */
function refuseWorkers({ listen }: Config): void {
  if (listen.workers === 1) return
  throw new Complaint(
    'a daemon within a program has one worker: methods of its own cannot cross over to other threads',
    'leave listen.workers out, or run "postern serve"',
  )
}

function configOf({ stateDir, socket, port = 0, config }: DaemonOptions): Config {
  if (typeof stateDir !== 'string' || stateDir === '')
    throw new Complaint('the daemon has no stateDir', 'name the folder where it keeps its tokens')
  const flags = {
    stateDir: resolve(stateDir),
    socket: resolve(socket ?? join(stateDir, 'postern.sock')),
    port: String(port),
    ...(config !== undefined && { config: resolve(config) }),
  }
  return loadConfig(flags, 'program', {}).config
}
