import { openLibc } from './libc.ts'

const F_DUPFD_CLOEXEC = 1030
/** Not among the standard streams, whichever of them are closed. */
const LOWEST = 3

/** One more descriptor of an open file or socket, which no child process inherits (fcntl(2)). Undefined: there is none. */
export function duplicate(fd: number): number | undefined {
  const fcntl = openLibc()?.declare('int fcntl(int fd, int command, ...)')
  const copy = fcntl?.(fd, F_DUPFD_CLOEXEC, 'int', LOWEST) ?? -1
  return copy < 0 ? undefined : copy
}
