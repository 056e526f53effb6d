const POLYNOMIAL = 0x82f63b78
/** LevelDB stores no checksum as it is (doc/log_format.md, util/crc32c.h): one of bytes that hold a checksum would be weak. */
const MASK_DELTA = 0xa282ead8

const TABLES = slicingTables()

/** CRC-32C (Castagnoli, RFC 3720 section 12.1) of `bytes` from `start` to `end`; some 1 GB a second. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const table = (slice: number, index: number) => TABLES[slice * 256 + index] as number
  const byte = (at: number) => bytes[at] as number
  let crc = -1
  let at = start
  for (; at + 8 <= end; at += 8) {
    crc ^= byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24)
    crc =
      table(7, crc & 255) ^
      table(6, (crc >>> 8) & 255) ^
      table(5, (crc >>> 16) & 255) ^
      table(4, crc >>> 24) ^
      table(3, byte(at + 4)) ^
      table(2, byte(at + 5)) ^
      table(1, byte(at + 6)) ^
      table(0, byte(at + 7))
  }
  for (; at < end; at++) crc = table(0, (crc ^ byte(at)) & 255) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** What LevelDB writes beside bytes of that checksum. */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}

/** Eight tables, so that eight bytes are taken at a time ("slicing by 8"). */
function slicingTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let index = 0; index < 256; index++) {
    let crc = index
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[index] = crc
  }
  for (let at = 256; at < tables.length; at++) {
    const crc = tables[at - 256] as number
    tables[at] = (crc >>> 8) ^ (tables[crc & 255] as number)
  }
  return tables
}
