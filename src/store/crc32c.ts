const POLYNOMIAL = 0x82f63b78
/** LevelDB stores no checksum as it is (doc/log_format.md, util/crc32c.h): one of bytes that hold a checksum would be weak. */
const MASK_DELTA = 0xa282ead8

const TABLES = slicingTables()

/**
 * CRC-32C (Castagnoli, RFC 3720 section 12.1) of `bytes` from `start` to `end`; some 1 GB a second. Without functions for
 * what is read: nothing is compiled yet when a daemon starts, and the first megabytes would take twice as long.
 */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1
  let at = start
  for (; at + 8 <= end; at += 8) {
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
    const high = ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
    crc ^= low | high
    crc =
      (TABLES[7 * 256 + (crc & 255)] as number) ^
      (TABLES[6 * 256 + ((crc >>> 8) & 255)] as number) ^
      (TABLES[5 * 256 + ((crc >>> 16) & 255)] as number) ^
      (TABLES[4 * 256 + (crc >>> 24)] as number) ^
      (TABLES[3 * 256 + (bytes[at + 4] as number)] as number) ^
      (TABLES[2 * 256 + (bytes[at + 5] as number)] as number) ^
      (TABLES[256 + (bytes[at + 6] as number)] as number) ^
      (TABLES[bytes[at + 7] as number] as number)
  }
  for (; at < end; at++) crc = (TABLES[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8)
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
