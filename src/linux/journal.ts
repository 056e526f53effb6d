import { fstatSync } from 'node:fs'
import { openDatagram } from './datagram.ts'

const SOCKET = '/run/systemd/journal/socket'
const STDERR = 2
/** A datagram holds some 200 KiB; more would have to go through a sealed file. */
const LONGEST_FIELD = 32 * 1024

export type Fields = Readonly<Record<string, string>>

/**
 * The journal's own socket, where stderr leads to the journal ($JOURNAL_STREAM, systemd.exec(5)): an entry's fields can
 * then be searched for (`journalctl POSTERN_EVENT=token.mint`). Undefined: write to stderr.
 */
export function openJournal(env = process.env): ((fields: Fields) => boolean) | undefined {
  if (!leadsToJournal(env.JOURNAL_STREAM)) return undefined
  const send = openDatagram(SOCKET)
  return send && ((fields) => send(encode(fields)))
}

function leadsToJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false
  const { dev, ino } = fstatSync(STDERR)
  return stream === `${dev}:${ino}`
}

/** The journal's native protocol: with a length before each value, nothing in a value can begin another field. */
function encode(fields: Fields): Buffer {
  const parts: Buffer[] = []
  for (const [name, text] of Object.entries(fields)) {
    const value = Buffer.from(text.slice(0, LONGEST_FIELD))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(value.length))
    parts.push(Buffer.from(`${name}\n`), length, value, Buffer.from('\n'))
  }
  return Buffer.concat(parts)
}
