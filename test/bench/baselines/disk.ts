import { dirname } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { fdatasyncRate } from '../machine.ts'

/** What is written for one mint and, with a group of them, once: keys and values as the daemon stores them. */
export interface MintRows {
  readonly each: readonly (readonly [key: string, value: string])[]
  readonly once: readonly (readonly [key: string, value: string])[]
}

/** `writers`: mints in one batch; 0: no database, one block at a time. */
export interface DiskOrder {
  readonly writers: number
  readonly milliseconds: number
}

/** Writes as many bytes as mints do, synced, as fast as the disk takes them. Arguments: the rows, a folder. */
const { each, once }: MintRows = JSON.parse(process.argv[2] as string)
const folder = process.argv[3] as string
const db = new ClassicLevel<string, string>(folder, { keyEncoding: 'utf8', valueEncoding: 'utf8' })
await db.open()

const WIDTH = 12
let mints = 0

async function writeGroups({ writers, milliseconds }: DiskOrder): Promise<number> {
  const begun = performance.now()
  let written = 0
  for (; performance.now() - begun < milliseconds; written += writers) {
    const batch = Array.from({ length: writers }, rowsOfOne).flat()
    await db.batch([...batch, ...once.map(([key, value]) => put(key, value))], { sync: true })
  }
  return (written / (performance.now() - begun)) * 1000
}

/** Keys that were never there, as long as those of a mint. */
function rowsOfOne() {
  const number = String(++mints).padStart(WIDTH, '0')
  return each.map(([key, value]) => put(key.slice(0, -WIDTH) + number, value))
}

function put(key: string, value: string) {
  return { type: 'put' as const, key, value }
}

process.on('message', async (order: DiskOrder) => {
  process.send?.(
    order.writers === 0 ? fdatasyncRate(dirname(folder), order.milliseconds) : await writeGroups(order),
  )
})
process.on('disconnect', () => process.exit())
process.send?.('open')
