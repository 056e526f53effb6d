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
    for (const block of handlesOf(table)) if (!isIntact(table, block)) return 'corrupt'
    return undefined
  } catch (error) {
    if (error instanceof RangeError) return 'corrupt' // Buffer's own for whatever leads outside of the table
    throw error
  }
}

/** What is in the blocks of a table that is whole, as it was before it was compressed. */
export function* blocksOf(table: Buffer): Generator<Buffer> {
  for (const block of handlesOf(table)) yield unpacked(table, block)
}

/** Each block before those that it leads to: whoever goes on has found it intact. */
function* handlesOf(table: Buffer): Generator<Handle> {
  const metaindex = readHandle(table, table.length - FOOTER)
  const index = readHandle(table, metaindex.next)
  for (const root of [metaindex, index]) {
    yield root
    yield* handlesIn(unpacked(table, root))
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
