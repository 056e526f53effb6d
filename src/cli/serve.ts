import { basename, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { Command } from 'commander'
import { type Flags, type LoadedConfig, loadConfig } from '../config.ts'
import { type Inherited, takeInherited } from '../linux/activation.ts'
import { findServiceManager } from '../linux/notify.ts'
import { Complaint } from '../protocol/complaint.ts'
import { tend } from '../service.ts'
import { print, report } from './terminal.ts'

const SAME_REQUEST_MS = 1_000
/** How long a start that cannot succeed takes under systemd, in milliseconds: more than its limits allow for. */
const RETRY_MS = 2_000
/** EX_SOFTWARE (sysexits.h). Not 1, which says that something has to be put right before a start can succeed. */
const UNEXPECTED = 70

/**
 * By how much the heap may grow before it is collected, in percent of what lives in it. V8 by itself lets 70 MB become 290:
 * a million mints and verifications need 214 MB of anonymous memory at most instead of 419, and take as long.
 */
const GARBAGE_PERCENT = 50

export function serveCommand(): Command {
  return new Command('serve')
    .description('Run the daemon.')
    .option('--state-dir <dir>', 'where tokens are kept (or $POSTERN_STATE_DIR)')
    .option('--socket <path>', 'Unix socket to listen on (or $POSTERN_SOCKET)')
    .option('--port <number>', 'loopback port to listen on; 0 picks one (or $POSTERN_PORT)')
    .option('--config <file>', 'configuration file (or $POSTERN_CONFIG)')
    .action(serve)
}

async function serve(flags: Flags): Promise<void> {
  const inherited = takeInherited()
  try {
    await run(flags, inherited)
  } catch (error) {
    // Whoever waits at an inherited socket has systemd start us again at once; in a while it would give the sockets up.
    // So it is told at once, and tried again not too soon: once the fault is mended, the gate opens by itself.
    if (inherited.unix.length + inherited.tcp.length > 0) {
      report(error)
      await pause(RETRY_MS)
      process.exit(1)
    }
    throw error
  }
}

async function run(flags: Flags, inherited: Inherited): Promise<void> {
  const loaded = loadConfig(flags, 'daemon')
  // Loaded here, so that the other commands start without the daemon's parts.
  const [{ startDaemon }, { createLog }] = await Promise.all([import('../daemon.ts'), import('../log.ts')])
  const log = createLog()
  const manager = findServiceManager()
  const reread = () => {
    const { config, file } = loadConfig(flags, 'daemon')
    // Its rules must not end with a file that somebody is just about to replace.
    if (file === undefined && loaded.file !== undefined)
      throw new Complaint(
        `the configuration ${loaded.file} is gone`,
        'put it back, or start the daemon without it',
      )
    return config
  }
  const daemon = await startDaemon(loaded.config, { log, inherited, reread })
  // Not earlier: what V8 has compiled of the program it takes only under the flags under which it did (build/compile.ts).
  setFlagsFromString(`--heap-growing-percent=${GARBAGE_PERCENT}`)
  const endTending = tend(manager, daemon, log)

  let asked: number | undefined
  const stop = async (signal: NodeJS.Signals) => {
    if (asked !== undefined) {
      // Asked again: somebody is in a hurry. At once it is the same Ctrl-C, which npm passes on beside the terminal.
      if (performance.now() - asked > SAME_REQUEST_MS) process.exit(1)
      return
    }
    asked = performance.now()
    log.info({ signal }, 'stopping')
    manager.stopping()
    endTending()
    await daemon.close()
    process.exit(0)
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  process.on('SIGHUP', () => {
    daemon.reload().catch((error: unknown) => {
      const why = error instanceof Complaint ? { reason: error.message, hint: error.hint } : { err: error }
      log.error(why, 'the new configuration is not valid; the old one stays')
    })
  })
  // Nothing is known about the state after a fault of our own: end, and let the service manager start anew.
  process.on('uncaughtException', (err) => {
    try {
      log.fatal({ err }, 'unexpected error')
    } finally {
      process.exit(UNEXPECTED) // also where the log itself is what failed, because its terminal is gone
    }
  })

  log.info({ socket: daemon.socket, port: daemon.port, config: loaded.file }, 'listening')
  const { socket, port } = daemon
  if (process.stdout.isTTY) print(welcome(loaded, port))
  else print(JSON.stringify({ event: 'listening', socket, port, pid: process.pid }))
}

function welcome({ config }: LoadedConfig, port: number | undefined): string {
  const { socket } = config.listen
  // Where a client would look for itself, it need not be told.
  const flag = socket === loadConfig({}).config.listen.socket ? '' : ` --socket ${quoted(socket)}`
  return `
Postern is listening on ${socket}
                    and http://127.0.0.1:${port}/api/

Mint a token, and call with it:

  export POSTERN_TOKEN=$(${commandName()} mint --ttl 1h${flag})
  ${commandName()} call Auth.WhoAmI${flag}
`
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w./@%+:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** How the person at the terminal can run this same program. */
function commandName(): string {
  const [, script = 'postern'] = process.argv
  return basename(script) === 'main.js' ? `node ${quoted(relative(process.cwd(), script))}` : basename(script)
}
