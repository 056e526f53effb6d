import { createHash } from 'node:crypto'
import { Complaint } from '../../protocol/complaint.ts'

/** A whole store, or what is moved to another one. */
export type Kind = 'backup' | 'export'

/**
 * A backup as text: a line about it, a line for each entry of the store, and a last line with their number and the digest
 * of everything before, without which a file that was cut off would pass for a whole one.
 */
export interface Header {
  readonly postern: Kind
  /** Of the database. */
  readonly format: number
  readonly created: number
  /** The last commit that is in it. */
  readonly commit: number
  /** Tells which pepper the hashes were made with. */
  readonly fingerprint: string
  /** The pepper itself, in an encrypted backup. */
  readonly pepper?: string
}

export type KeptEntry = readonly [key: string, value: string]

interface Footer {
  readonly entries: number
  readonly sha256: string
}

export async function* encodeBackup(
  header: Header,
  pages: AsyncIterable<readonly (readonly unknown[])[]>,
): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256')
  const line = (value: unknown) => {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`)
    digest.update(bytes)
    return bytes
  }
  yield line(header)
  let entries = 0
  for await (const page of pages) {
    entries += page.length
    yield Buffer.concat(page.map(line))
  }
  const footer: Footer = { entries, sha256: digest.digest('hex') }
  yield Buffer.from(`${JSON.stringify(footer)}\n`)
}

/** What a backup holds, entry by entry, behind its header. Throws Complaint for what is none, or not whole. */
export class BackupReader {
  readonly header: Header
  readonly #lines: AsyncIterator<string>
  readonly #digest = createHash('sha256')

  private constructor(header: Header, first: string, lines: AsyncIterator<string>) {
    this.header = header
    this.#lines = lines
    this.#digest.update(`${first}\n`)
  }

  static async open(bytes: AsyncIterable<Uint8Array>, kind: Kind = 'backup'): Promise<BackupReader> {
    const lines = splitLines(bytes)
    const { value: first = '' } = await lines.next()
    const header = parse(first) as Partial<Header> | undefined
    if (!isHeader(header) || header.postern !== kind) throw new Complaint(`this is no ${kind} of postern`)
    return new BackupReader(header, first, lines)
  }

  async *entries(): AsyncGenerator<KeptEntry> {
    let count = 0
    for (;;) {
      const { value: line, done } = await this.#lines.next()
      if (done === true) throw damaged()
      const parsed = parse(line)
      if (isItem(parsed)) {
        this.#digest.update(`${line}\n`)
        count++
        yield parsed
        continue
      }
      const { entries, sha256 } = (parsed ?? {}) as Partial<Footer>
      if (entries !== count || sha256 !== this.#digest.digest('hex')) throw damaged()
      if ((await this.#lines.next()).done !== true) throw damaged()
      return
    }
  }
}

function isHeader(value: Partial<Header> | undefined): value is Header {
  if (typeof value !== 'object' || value === null) return false
  const { format, commit, fingerprint, pepper } = value
  const isCount = Number.isSafeInteger(commit) && Number(commit) >= 0 && Number(commit) < 2 ** 52
  return (
    typeof format === 'number' &&
    isCount &&
    typeof fingerprint === 'string' &&
    (pepper === undefined || typeof pepper === 'string')
  )
}

/** A key and a value; or, in an export, what it is and the thing itself. */
function isItem(value: unknown): value is KeptEntry {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string'
}

export function damaged(): Complaint {
  return new Complaint('the backup is damaged or not whole', 'take another one; nothing was changed')
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

async function* splitLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0)
  for await (const chunk of bytes) {
    rest = Buffer.concat([rest, chunk])
    let start = 0
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, start)) {
      yield rest.toString('utf8', start, end)
      start = end + 1
    }
    rest = rest.subarray(start)
  }
}
