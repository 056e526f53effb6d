import { crc32 } from 'node:zlib'
import type { Entry } from './store.ts'

/** What is stored under a key is not what was written there: a fault of the disk, or somebody's hand in the files. */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord'
  readonly key: string

  constructor(key: string) {
    super(`the record ${key} is damaged: its checksum is wrong`)
    this.key = key
  }
}

/** Stored form: `<version> <checksum> <value>`, both in base 36. LevelDB's reads verify no checksum of their own. */
export function encodeRecord({ key, version, value }: Entry): string {
  return `${version.toString(36)} ${checksum(key, version, value).toString(36)} ${value}`
}

/** Throws DamagedRecord. */
export function decodeRecord(key: string, stored: string): Entry {
  const first = stored.indexOf(' ')
  const second = stored.indexOf(' ', first + 1)
  const version = Number.parseInt(stored.slice(0, first), 36)
  const value = stored.slice(second + 1)
  const told = Number.parseInt(stored.slice(first + 1, second), 36)
  if (second < 0 || told !== checksum(key, version, value)) throw new DamagedRecord(key)
  return { key, value, version }
}

/** Over the key as well: a record in another one's place is no less wrong. Of one text: each call costs more than the copy. */
function checksum(key: string, version: number, value: string): number {
  return crc32(`${key} ${version}${value}`)
}
