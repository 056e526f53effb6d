import { connect } from 'node:net'
import { Complaint } from '../protocol/complaint.ts'
import type { StateDirectory } from '../store/directory.ts'
import { isRunning, offline, type Places, type StateOption } from './offline.ts'
import { socketOf } from './options.ts'
import { type Call, type SessionOptions, session } from './session.ts'

const DAY = 86_400

export interface Ways<T> {
  readonly running: (call: Call) => Promise<T>
  readonly stopped: (state: StateDirectory) => Promise<T>
}

/**
 * Asks the daemon, if it runs; else works on its state directory itself. With --state-dir it is about that one's daemon; with
 * the --socket of another daemon alone about that one, and nothing says where its state is.
 */
export async function eitherWay<T>(
  options: SessionOptions & StateOption,
  places: Places,
  purpose: string,
  { running, stopped }: Ways<T>,
): Promise<T> {
  const runs = isRunning(places.stateDir)
  const answers = await somebodyListens(socketOf(options))
  if (runs && !answers) {
    throw new Complaint(
      `a daemon runs on ${places.stateDir}, and does not answer`,
      'name its socket with --socket',
    )
  }
  if (runs || (options.stateDir === undefined && answers))
    return session(options, purpose, running, { seconds: DAY })
  if (isElsewhere(options)) {
    throw new Complaint(
      `nobody answers on ${options.socket}`,
      'name the state directory of a stopped daemon with --state-dir',
    )
  }
  return offline(places, stopped)
}

/** Whether the socket that was named is not that of the daemon whose state would be looked at. */
function isElsewhere({
  socket,
  stateDir = process.env.POSTERN_STATE_DIR,
  config,
}: SessionOptions & StateOption): boolean {
  return socket !== undefined && !stateDir && socket !== socketOf({ ...(config !== undefined && { config }) })
}

function somebodyListens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket)
    probe.on('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
  })
}
