/** Something the operator has to put right. Printed as `postern: message` and `hint: …`; never sent to a caller. */
export class Complaint extends Error {
  override readonly name = 'Complaint'
  readonly hint: string | undefined
  /** 1, or 2 for a command line that cannot be understood. */
  readonly exitCode: 1 | 2

  constructor(message: string, hint?: string, more: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? {} : { cause: more.cause })
    this.hint = hint
    this.exitCode = more.exitCode ?? 1
  }
}

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EEXIST: 'something else than a directory is there',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EADDRINUSE: 'already in use',
  EADDRNOTAVAIL: 'this host has no such address',
  ECONNREFUSED: 'nobody is listening',
  EIO: 'input/output error',
  EMFILE: 'too many open files',
}

/** A system error in words: "permission denied". */
export function inWords(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return (code !== undefined && SYSTEM_ERRORS[code]) || message
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}
