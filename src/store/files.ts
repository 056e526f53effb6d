import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * A file that will be whole or absent, whatever happens: written beside its name, synced, renamed over it, and the
 * directory synced, without which the rename itself can be lost in a power cut. Mode 0600 from the first moment.
 */
export class DurableFile {
  readonly path: string
  readonly #temporary: string
  readonly #fd: number

  /** Fails at once where the directory cannot be written, before anything that depends on the file is done. */
  constructor(path: string) {
    this.path = path
    this.#temporary = `${path}.${randomBytes(4).toString('hex')}.new`
    this.#fd = openSync(this.#temporary, 'wx', 0o600) // 'x': never through somebody's symbolic link
  }

  /** Writes the content and puts the file in its place. */
  commit(content: string): void {
    try {
      const bytes = Buffer.from(content)
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#fd, bytes, written)
      fsyncSync(this.#fd)
      renameSync(this.#temporary, this.path)
    } catch (error) {
      this.discard()
      throw error
    }
    closeSync(this.#fd)
    syncDirectory(dirname(this.path))
  }

  discard(): void {
    closeSync(this.#fd)
    unlinkSync(this.#temporary)
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
