import { readVarint } from './varint.ts'

/**
 * Raw Snappy (google/snappy, format_description.txt), as LevelDB compresses the blocks of its tables. Throws RangeError
 * where the bytes are not that.
 */
export function unpackSnappy(packed: Buffer): Buffer {
  const length = readVarint(packed, 0)
  const unpacked = Buffer.alloc(length.value)
  let from = length.next
  let to = 0
  while (from < packed.length) {
    const tag = packed.readUInt8(from++)
    const kind = tag & 3
    if (kind === 0) {
      const short = tag >>> 2
      const extra = short < 60 ? 0 : short - 59
      const count = (extra === 0 ? short : packed.readUIntLE(from, extra)) + 1
      from += extra
      if (from + count > packed.length || to + count > unpacked.length)
        throw new RangeError('a literal is too long')
      packed.copy(unpacked, to, from, from + count)
      from += count
      to += count
      continue
    }
    const near = kind === 1
    const width = near ? 1 : kind === 2 ? 2 : 4
    const count = near ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const offset = packed.readUIntLE(from, width) + (near ? (tag >>> 5) << 8 : 0)
    from += width
    if (offset === 0 || offset > to || to + count > unpacked.length)
      throw new RangeError('a copy leads outside')
    // Byte by byte: a copy may read what it has just written.
    for (const end = to + count; to < end; to++) unpacked[to] = unpacked[to - offset] as number
  }
  if (to !== unpacked.length) throw new RangeError('it is too short')
  return unpacked
}
