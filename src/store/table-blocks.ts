import { crc32c, masked } from './crc32c.ts'
import { unpackSnappy } from './snappy.ts'
import { readVarint } from './varint.ts'

/** The last bytes of every table of LevelDB (doc/table_format.md), little-endian. */
const MAGIC = 0xdb4775248b80fb57n
const FOOTER = 48
const SNAPPY = 1

interface Handle {
  readonly offset: number
  readonly size: number
  readonly next: number
}

/** What is wrong with a table of LevelDB, read as a whole; undefined if each of its blocks is as it was written. */
export function faultOf(table: Buffer): string | undefined {
  const footer = table.length - FOOTER
  if (footer < 0 || table.readBigUInt64LE(table.length - 8) !== MAGIC) return 'truncated'
  try {
    const metaindex = readHandle(table, footer)
    const index = readHandle(table, metaindex.next)
    for (const root of [metaindex, index]) {
      if (!isIntact(table, root)) return 'corrupt'
      for (const block of handlesIn(unpacked(table, root))) if (!isIntact(table, block)) return 'corrupt'
    }
    return undefined
  } catch (error) {
    if (error instanceof RangeError) return 'corrupt' // Buffer's own for whatever leads outside of the table
    throw error
  }
}

function readHandle(bytes: Buffer, at: number): Handle {
  const offset = readVarint(bytes, at)
  const size = readVarint(bytes, offset.next)
  return { offset: offset.value, size: size.value, next: size.next }
}

function isIntact(table: Buffer, { offset, size }: Handle): boolean {
  const end = offset + size + 1
  return table.readUInt32LE(end) === masked(crc32c(table, offset, end))
}

function unpacked(table: Buffer, { offset, size }: Handle): Buffer {
  const block = table.subarray(offset, offset + size)
  return table.readUInt8(offset + size) === SNAPPY ? unpackSnappy(block) : block
}

/** The values of a block that leads to others: entries, then the places where keys are whole, then their count. */
function* handlesIn(block: Buffer): Generator<Handle> {
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 * (restarts + 1)
  let at = 0
  while (at < end) {
    const shared = readVarint(block, at)
    const rest = readVarint(block, shared.next)
    const value = readVarint(block, rest.next)
    const start = value.next + rest.value
    yield readHandle(block, start)
    at = start + value.value
  }
}
