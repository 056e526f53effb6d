import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const MiB = 1024 * 1024

/** What Linux tells about a running process. */
export interface Vitals {
  /** Bytes that are its own (RssAnon): the rest of what is resident are files, which the kernel takes back. */
  readonly memory: number
  readonly descriptors: number
  /** Of them, sockets. */
  readonly sockets: number
}

export function vitalsOf(pid: number): Vitals {
  const open = descriptorsOf(pid)
  const sockets = open.filter((target) => target.startsWith('socket:')).length
  return { memory: memoryOf(pid), descriptors: open.length, sockets }
}

export function memoryOf(pid: number): number {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  if (kilobytes === undefined) throw new Error(`process ${pid} has no memory of its own: it has ended`)
  return Number(kilobytes) * 1024
}

function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).flatMap((descriptor) => {
    try {
      return [readlinkSync(join(folder, descriptor))]
    } catch {
      return [] // closed since the folder was read
    }
  })
}

/** Bytes of the files in a folder. One that goes meanwhile counts nothing: LevelDB removes them as it likes. */
export function sizeOf(directory: string): number {
  let total = 0
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    try {
      total += statSync(join(directory, path)).size
    } catch {}
  }
  return total
}
