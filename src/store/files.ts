import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { Complaint } from '../protocol/complaint.ts'

/**
 * A file that will be whole or absent, whatever happens: written beside its name, synced, renamed over it, and the
 * directory synced, without which the rename itself can be lost in a power cut. Mode 0600 from the first moment.
 */
export class DurableFile {
  readonly path: string
  readonly #temporary: string
  readonly #fd: number
  #open = true
  #size = 0

  /**
   * Fails at once where the file could not be written later, before anything that depends on it is done: on a directory
   * that cannot be written, a disk without `reserve` bytes, or a path where something special is.
   */
  constructor(path: string, reserve = 0) {
    this.path = path
    this.#temporary = `${path}.${randomBytes(4).toString('hex')}.new`
    refuseSpecial(path)
    this.#fd = openSync(this.#temporary, 'wx', 0o600) // 'x': never through somebody's symbolic link
    try {
      this.#write(Buffer.alloc(reserve), 0)
      fsyncSync(this.#fd)
    } catch (error) {
      this.discard()
      throw error
    }
  }

  /** Writes the content and puts the file in its place. */
  commit(content: string): void {
    this.append(Buffer.from(content))
    this.finish()
  }

  /** Writes on. What fails leaves nothing behind. */
  append(bytes: Uint8Array): void {
    try {
      this.#write(bytes, this.#size)
      this.#size += bytes.length
    } catch (error) {
      this.discard()
      throw error
    }
  }

  /** Puts the file in its place. */
  finish(): void {
    try {
      ftruncateSync(this.#fd, this.#size)
      fsyncSync(this.#fd)
      renameSync(this.#temporary, this.path)
      this.#open = false
      closeSync(this.#fd)
      syncDirectory(dirname(this.path))
    } catch (error) {
      this.discard()
      throw error
    }
  }

  #write(bytes: Uint8Array, at: number): void {
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#fd, bytes, written, bytes.length - written, at + written)
    }
  }

  /** Leaves nothing behind. Does nothing after commit(). */
  discard(): void {
    if (!this.#open) return
    this.#open = false
    closeSync(this.#fd)
    unlinkSync(this.#temporary)
  }
}

// rename() would put a plain file in the place of a device, a pipe or a link (/dev/stdout is one), and fail on a directory
// only at the very end.
function refuseSpecial(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (path === '' || (found !== undefined && !found.isFile())) {
    throw new Complaint(
      `cannot write ${path || 'a file without a name'}: only a plain file can be replaced`,
      'name another path',
    )
  }
}

export function writeDurably(path: string, content: string): void {
  new DurableFile(path).commit(content)
}

export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
