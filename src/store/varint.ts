/** A varint of LevelDB and Snappy below 2^49: seven bits a byte, the lowest first. Throws RangeError. */
export function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } {
  let value = 0
  let scale = 1
  for (let next = at; next < at + 7; scale *= 128) {
    const byte = bytes[next++] // a method of Buffer's takes twice as long, until it is compiled
    if (byte === undefined) throw new RangeError('a number is cut off')
    value += (byte & 127) * scale
    if (byte < 128) return { value, next }
  }
  throw new RangeError('a number is too large')
}
