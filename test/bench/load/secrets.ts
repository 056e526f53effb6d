import { closeSync, openSync, readSync } from 'node:fs'

/** Longer than any secret with its newline. */
const LONGEST_LINE = 65

/** The first secrets of a file that has one on each line. It may be larger than a string can be. */
export function readSecrets(file: string, count: number): string[] {
  const bytes = Buffer.alloc(count * LONGEST_LINE)
  const descriptor = openSync(file, 'r')
  const length = readSync(descriptor, bytes, 0, bytes.length, 0)
  closeSync(descriptor)
  const secrets = bytes.toString('latin1', 0, length).split('\n', count)
  if (secrets.length < count || secrets.at(-1) === '')
    throw new Error(`${file} has fewer tokens than ${count}`)
  return secrets
}
