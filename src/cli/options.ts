import { existsSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { type Flags, HOST_SOCKET, type LoadedConfig, loadConfig } from '../config.ts'
import { Complaint, inWords } from '../protocol/complaint.ts'
import { parseDuration } from '../units.ts'

export interface SocketOption {
  socket?: string
  config?: string
}

export interface TokenOption {
  tokenFile?: string
}

/** Every command that talks to the daemon takes these. */
export function withSocket(command: Command): Command {
  return command
    .option('--socket <path>', "the daemon's Unix socket (or $POSTERN_SOCKET)")
    .option('--config <file>', 'configuration file (or $POSTERN_CONFIG)')
}

export function withTokenFile(command: Command): Command {
  return command.option('--token-file <file>', 'file with the token to call with (or $POSTERN_TOKEN)')
}

/** Where nobody says which socket, one's own daemon comes first, and then the host's. */
export function socketOf({ socket, config: file }: SocketOption): string {
  const flags = { ...(socket !== undefined && { socket }), ...(file !== undefined && { config: file }) }
  const { config, sources } = file === undefined ? findDaemon(flags) : loadConfig(flags)
  const own = config.listen.socket
  const isGuess = sources.get('listen.socket') === 'default' && !existsSync(own)
  return isGuess && existsSync(HOST_SOCKET) ? HOST_SOCKET : own
}

/** A fault in the daemon's file is the daemon's to tell: who wants to call it needs no more than its place. */
function findDaemon(flags: Flags): LoadedConfig {
  try {
    return loadConfig(flags)
  } catch (error) {
    if (!(error instanceof Complaint) || error.exitCode === 2) throw error
    return loadConfig({ ...flags, config: '/dev/null' })
  }
}

/** From a file or the environment, never from the command line, which everybody can see in ps. */
export function tokenOf({ tokenFile }: TokenOption): string | undefined {
  if (tokenFile === undefined) {
    const token = process.env.POSTERN_TOKEN
    return token === undefined ? undefined : readToken(token, '$POSTERN_TOKEN')
  }
  try {
    return readToken(readFileSync(tokenFile, 'utf8'), tokenFile)
  } catch (error) {
    if (error instanceof Complaint) throw error
    throw new Complaint(`cannot read the token file ${tokenFile}: ${inWords(error)}`, undefined, {
      cause: error,
    })
  }
}

function readToken(text: string, where: string): string {
  const token = text.trim()
  if (/^[!-~]+$/.test(token)) return token
  throw new Complaint(`${where} ${token === '' ? 'is empty' : 'holds something else than a token'}`)
}

/** `1h`, `30m`, `7d`, a number of seconds, or `never` → seconds, 0 being without end. */
export function readTtl(text: string, flag = '--ttl'): number {
  if (text === 'never') return 0
  const milliseconds = /^\d{1,10}$/.test(text) ? Number(text) * 1000 : parseDuration(text)
  if (milliseconds !== undefined && milliseconds % 1000 === 0 && milliseconds / 1000 <= 4_294_967_295)
    return milliseconds / 1000
  throw new Complaint(
    `${flag} ${text}: not a lifetime`,
    'write 90s, 30m, 1h, 7d, a number of seconds, or never',
    { exitCode: 2 },
  )
}
