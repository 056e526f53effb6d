import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { connect, type Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { Complaint, codeOf, inWords } from '../protocol/complaint.ts'
import { BACKLOG } from './backlog.ts'

/** sun_path holds 108 bytes with its NUL; Node 20 and 22 cut a longer path silently, to another file. */
const LONGEST_PATH = 107

export interface UnixAddress {
  readonly path: string
  readonly mode: number
  /** A group to own the socket; undefined: `postern`, where that group exists. */
  readonly group: string | undefined
}

/**
 * Listens on a Unix socket that never has another mode than its own, and never takes anybody else's place: bound under a
 * temporary name with the mode's umask, given to its group, then renamed over the path (over a stale socket, too).
 * Returns how to remove it, which leaves a successor's socket alone. Throws Complaint.
 */
export async function listenOnUnix(server: Server, { path, mode, group }: UnixAddress): Promise<() => void> {
  const directory = dirname(path)
  const temporary = join(directory, `.${randomBytes(2).toString('hex')}`)
  refuseLongPath(path, temporary)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 })
  } catch (error) {
    throw cannotListen(path, inWords(error), 'choose another place with --socket', error)
  }
  refuseWorldWritable(directory, path)
  await refuseTaken(path)
  await bind(server, path, temporary, mode)
  try {
    const gid = groupId(group)
    if (gid !== undefined) chownSync(temporary, -1 as number, gid)
    chmodSync(temporary, mode)
    renameSync(temporary, path)
  } catch (error) {
    unlinkSync(temporary)
    throw error instanceof Complaint ? error : cannotListen(path, inWords(error), undefined, error)
  }
  const { ino } = lstatSync(path)
  return () => {
    if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) unlinkSync(path)
  }
}

function refuseLongPath(path: string, temporary: string): void {
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(temporary)) <= LONGEST_PATH) return
  throw cannotListen(
    path,
    `a socket's path has at most ${LONGEST_PATH} bytes`,
    'choose a shorter one with --socket',
  )
}

// There anybody could have put the file, or could put another in its place.
function refuseWorldWritable(directory: string, path: string): void {
  if ((statSync(directory).mode & 0o002) === 0) return
  throw cannotListen(
    path,
    `anybody may write to ${directory}`,
    'choose a directory of your own with --socket',
  )
}

/** Only a socket that nobody listens on may be replaced. */
async function refuseTaken(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw cannotListen(path, 'something else than a socket is there', `look at ${path} and move it away`)
  const error = await connectError(path)
  if (error === 'ECONNREFUSED' || error === 'ENOENT') return
  throw cannotListen(path, 'a daemon is listening there', 'stop it, or choose another path with --socket')
}

/** The code of the error that connecting to the socket gives; undefined: somebody answers. */
function connectError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.on('connect', () => {
      probe.destroy()
      resolve(undefined)
    })
    probe.on('error', (error) => resolve(codeOf(error)))
  })
}

function bind(server: Server, path: string, temporary: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(cannotListen(path, inWords(error), 'choose another place with --socket', error)),
    )
    // bind() happens within listen(), so the umask holds for it and for nothing else.
    const before = process.umask(~mode & 0o777)
    server.listen({ path: temporary, backlog: BACKLOG }, () => {
      server.removeAllListeners('error')
      resolve()
    })
    process.umask(before)
  })
}

function groupId(group: string | undefined): number | undefined {
  const name = group ?? 'postern'
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`))
  if (line !== undefined) {
    const gid = Number(line.split(':')[2])
    // Only root, and members, may give a file to a group; where it is merely the default, nothing is lost.
    return group !== undefined || process.getuid?.() === 0 || process.getgroups?.().includes(gid)
      ? gid
      : undefined
  }
  if (group === undefined) return undefined
  throw new Complaint(
    `there is no group ${group}, which listen.socket_group names`,
    `groupadd --system ${group}`,
  )
}

function cannotListen(path: string, reason: string, hint?: string, cause?: unknown): Complaint {
  return new Complaint(`cannot listen on ${basename(path) === path ? `./${path}` : path}: ${reason}`, hint, {
    cause,
  })
}
