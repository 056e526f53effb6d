import { createReadStream } from 'node:fs'
import { Complaint, inWords } from '../../protocol/complaint.ts'
import { DurableFile } from '../../store/files.ts'

/** Writes a file that will be whole or absent, mode 0600. Throws Complaint. */
export async function writeStream(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  let file: DurableFile | undefined
  try {
    file = new DurableFile(path)
    for await (const chunk of bytes) file.append(chunk)
    file.finish()
  } catch (cause) {
    file?.discard()
    if (cause instanceof Complaint) throw cause
    throw new Complaint(`cannot write ${path}: ${inWords(cause)}`, undefined, { cause })
  }
}

/** A file's bytes. Throws Complaint while they are read. */
export async function* readStream(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk as Uint8Array
  } catch (cause) {
    throw new Complaint(`cannot read ${path}: ${inWords(cause)}`, undefined, { cause })
  }
}
