/** A varint of LevelDB and Snappy below 2^53: seven bits a byte, the lowest first. Throws RangeError. */
export function readVarint(bytes: Buffer, at: number): { readonly value: number; readonly next: number } {
  let value = 0
  for (let index = 0; index < 7; index++) {
    const byte = bytes.readUInt8(at + index)
    value += (byte & 127) * 2 ** (7 * index)
    if (byte < 128) return { value, next: at + index + 1 }
  }
  throw new RangeError('a number is too large')
}
