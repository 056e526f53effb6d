import { basename, relative } from 'node:path'
import { Command } from 'commander'
import { type Flags, type LoadedConfig, loadConfig } from '../config.ts'
import { print, report } from './terminal.ts'

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
  const loaded = loadConfig(flags)
  // Loaded here, so that the other commands start without the daemon's parts.
  const [{ startDaemon }, { createLog }] = await Promise.all([import('../daemon.ts'), import('../log.ts')])
  const log = createLog()
  const daemon = await startDaemon(loaded.config, log)

  let stopping = false
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1) // asked twice: somebody is in a hurry
    stopping = true
    log.info({ signal }, 'stopping')
    await daemon.close()
    process.exit(0)
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  process.on('SIGHUP', () => {
    try {
      daemon.reload(loadConfig(flags).config)
    } catch (error) {
      log.error({ err: error }, 'the new configuration is not valid; the old one stays')
    }
  })
  // Nothing is known about the state after a fault of our own: end, and let the service manager start anew.
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'unexpected error')
    process.exit(report(err))
  })

  log.info({ socket: daemon.socket, port: daemon.port, config: loaded.file }, 'listening')
  const { socket, port } = daemon
  if (process.stdout.isTTY) print(welcome(loaded, port))
  else print(JSON.stringify({ event: 'listening', socket, port, pid: process.pid }))
}

function welcome({ config, sources }: LoadedConfig, port: number): string {
  const { socket } = config.listen
  const flag = sources.get('listen.socket') === 'default' ? '' : ` --socket ${socket}`
  return `
Postern is listening on ${socket}
                    and http://127.0.0.1:${port}/api/

Mint a token, and call with it:

  export POSTERN_TOKEN=$(${commandName()} mint --ttl 1h${flag})
  ${commandName()} call Auth.WhoAmI${flag}
`
}

/** How the person at the terminal can run this same program. */
function commandName(): string {
  const [, script = 'postern'] = process.argv
  return basename(script) === 'main.js' ? `node ${relative(process.cwd(), script)}` : basename(script)
}
