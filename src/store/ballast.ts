import { randomFillSync } from 'node:crypto'
import { existsSync, rmSync, statfsSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** What LevelDB may need to open a database again: it writes its logs, of at most 4 MiB each, as tables. */
const SIZE = 8 * 1024 * 1024
const CHUNK = 256 * 1024

/**
 * Space kept back, as a file. On a full disk LevelDB cannot even open a database; then this file is given up. It is put
 * back, and writes are taken again, when there is more than twice its size to spare.
 */
export class Ballast {
  readonly #file: string
  readonly #directory: string
  #making: Promise<void> | undefined

  constructor(directory: string) {
    this.#directory = directory
    this.#file = join(directory, 'ballast')
  }

  /** Whether there was something to give up. */
  release(): boolean {
    const there = existsSync(this.#file)
    rmSync(this.#file, { force: true })
    return there
  }

  /** Whether the disk has room for our writes, the ballast not counted. */
  hasRoom(): boolean {
    const { bavail, bsize } = statfsSync(this.#directory)
    return bavail * bsize > (existsSync(this.#file) ? SIZE : 2 * SIZE)
  }

  /** Whether a write can be made durable at all, just now. */
  async probe(): Promise<boolean> {
    const path = join(this.#directory, 'probe')
    const file = await open(path, 'w', 0o600)
    try {
      await file.write('x')
      await file.sync()
      return true
    } finally {
      await file.close()
      await rm(path, { force: true })
    }
  }

  /** Puts it in its place, if there is room. With bytes that no file system can make less of. */
  restore(): Promise<void> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  async #make(): Promise<void> {
    if (existsSync(this.#file) || !this.hasRoom()) return
    const begun = `${this.#file}.new`
    const file = await open(begun, 'w', 0o600)
    try {
      for (let written = 0; written < SIZE; written += CHUNK)
        await file.write(randomFillSync(Buffer.alloc(CHUNK)))
      await file.sync()
      await rename(begun, this.#file)
    } catch (error) {
      await rm(begun, { force: true })
      throw error
    } finally {
      await file.close()
    }
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await this.#making?.catch(() => {})
  }
}
