import { chmodSync, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Ended, run, type Scope, temporaryDirectory } from './daemon.ts'

/** What `it` and `describe` take. */
export interface Needs {
  readonly skip: string | false
}

const FOLDERS = ['/usr/sbin', '/usr/bin', ...(process.env.PATH ?? '').split(delimiter)]

/** A test becomes other users, by this and that program: elsewhere it is skipped in plain words, in CI a skip is a failure. */
export function needsRoot(...programs: string[]): Needs {
  return unless(process.getuid?.() === 0, 'becomes other users: needs root', ['setpriv', ...programs])
}

export function needsProgram(...programs: string[]): Needs {
  return unless(true, '', programs)
}

function unless(holds: boolean, otherwise: string, programs: readonly string[]): Needs {
  const missing = programs.filter((name) => !FOLDERS.some((folder) => existsSync(join(folder, name))))
  const skip = !holds ? otherwise : missing.length > 0 && `not installed: ${missing.join(', ')}`
  if (skip !== false && process.env.CI) throw new Error(`nothing may be skipped in CI: ${skip}`)
  return { skip }
}

/** Who a process is. */
export interface Identity {
  readonly uid: number
  readonly gid?: number
  readonly groups?: readonly number[]
}

/** Nobody that this host has a name for. */
export const STRANGER: Identity = { uid: 54_321 }

/** Debian's own users, which every installation has (base-passwd). */
export const DAEMON: Identity = { uid: 1, gid: 1 }
export const GAMES: Identity = { uid: 5, gid: 60 }

/** What to put in front of a command so that it runs as somebody else. */
export function as({ uid, gid = uid, groups = [] }: Identity): string[] {
  const supplementary = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join()}`
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, supplementary]
}

/** The same, for our own daemon: it may read the program's files, wherever the repository lies. */
export function asService(identity: Identity): string[] {
  return [...as(identity), '--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search']
}

/** Runs a program as somebody else to its end. */
export function runAs(
  identity: Identity,
  [command = '', ...args]: readonly string[],
  input?: string,
): Promise<Ended> {
  const [setpriv = '', ...flags] = as(identity)
  return run(setpriv, [...flags, command, ...args], { cwd: '/', ...(input !== undefined && { input }) })
}

/** Runs a Python program; it sees `args` from sys.argv[1] on. Not the one of a version manager, which others cannot run. */
export function pythonAs(identity: Identity, program: string, ...args: string[]): Promise<Ended> {
  return runAs(identity, ['/usr/bin/python3', '-I', '-c', program, ...args])
}

const CONVERSE = `
import socket, sys
place, data = sys.argv[1], sys.argv[2]
if place.startswith('/'):
    s = socket.socket(socket.AF_UNIX)
    s.connect(place)
    s.sendall(data.encode())
    s.shutdown(socket.SHUT_WR)
else:
    # Not shut down: a connection that is half closed before anybody has asked about it is nobody's.
    s = socket.create_connection(('127.0.0.1', int(place)))
    s.sendall(data.encode())
while chunk := s.recv(65536):
    sys.stdout.buffer.write(chunk)
`

/** Sends bytes to a Unix socket's path or a loopback port as somebody else, and returns all that comes back. */
export async function converseAs(identity: Identity, place: string | number, text: string): Promise<string> {
  const { code, stdout, stderr } = await pythonAs(identity, CONVERSE, String(place), text)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

/** A folder that other users may look into, with everything in it that they are let at. */
export function publicDirectory(t: Scope): string {
  const directory = temporaryDirectory(t)
  chmodSync(directory, 0o755)
  return directory
}
