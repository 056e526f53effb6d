import { openLibc } from './libc.ts'

const LOCK_EX = 2
const LOCK_NB = 4

/**
 * Takes an exclusive lock on an open file without waiting (flock(2)); it ends with the descriptor, so also with a crash.
 * False: somebody else holds it. Where flock cannot be called the answer is true, and the database's own lock decides.
 */
export function tryLock(fd: number): boolean {
  const libc = openLibc()
  if (libc === undefined) return true
  const flock = libc.declare('int flock(int fd, int operation)')
  if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true
  const error = libc.lastError()
  if (error === 'EWOULDBLOCK' || error === 'EAGAIN') return false // two names of one number
  throw new Error(`flock: ${error}`)
}
