import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { blocksOf } from '../../src/store/table-blocks.ts'
import type { Place } from './canaries.ts'

/** Every file below a folder; of LevelDB's tables also what their blocks unpack to. `but`: names of files that are left out. */
export function filesBelow(folder: string, { but = [] as readonly string[] } = {}): Place[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !but.includes(entry.name))
    .flatMap(({ parentPath, name }) => {
      const path = join(parentPath, name)
      const where = relative(folder, path)
      const content = readFileSync(path)
      if (!/\.(ldb|sst)$/.test(name)) return [[where, content] satisfies Place]
      const unpacked = Buffer.concat([...blocksOf(content)])
      return [[where, content] satisfies Place, [`the blocks of ${where}`, unpacked] satisfies Place]
    })
}

/** The key that hashes and other keys are made with. */
export function pepperOf(stateDir: string): Buffer {
  return Buffer.from(readFileSync(join(stateDir, 'pepper'), 'utf8').trim(), 'hex')
}

/** What the kernel tells about a process and its children: how each was called, is called, and with which environment. */
export function processPlaces(pid: number): Place[] {
  const own = ['cmdline', 'comm', 'environ', 'stat'].map(
    (name): Place => [`/proc/${pid}/${name}`, readFileSync(`/proc/${pid}/${name}`)],
  )
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').map(Number)
  return [...own, ...children.filter((child) => child > 0).flatMap(processPlaces)]
}
