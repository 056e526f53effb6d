import { execFileSync } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'

/** Where figures were taken: without it they say nothing. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** Of the folder where the daemons' states lie. */
  readonly filesystem: string
  /** Writes of one block, each followed by fdatasync, one after the other. */
  readonly fdatasyncPerSecond: number
}

const SYNCING_MS = 300
const BLOCK = Buffer.alloc(4096, 'x')

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    filesystem: filesystemOf(tmpdir()),
    fdatasyncPerSecond: Math.round(fdatasyncRate(tmpdir(), SYNCING_MS)),
  }
}

function filesystemOf(folder: string): string {
  const [, line = ''] = execFileSync('df', ['--output=fstype,source', folder], { encoding: 'utf8' }).split(
    '\n',
  )
  return line.trim().replace(/\s+/, ' on ')
}

/** How often per second a block can be appended to a file so that it is on the disk. */
export function fdatasyncRate(folder: string, milliseconds: number): number {
  const file = join(folder, `.fdatasync-${process.pid}`)
  const fd = openSync(file, 'w')
  const begun = performance.now()
  let count = 0
  try {
    for (; performance.now() - begun < milliseconds; count++) {
      writeSync(fd, BLOCK)
      fdatasyncSync(fd)
    }
    return (count / (performance.now() - begun)) * 1000
  } finally {
    closeSync(fd)
    rmSync(file)
  }
}
