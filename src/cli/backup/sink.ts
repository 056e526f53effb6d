import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Complaint, inWords } from '../../protocol/complaint.ts'
import { syncDirectory } from '../../store/files.ts'

/** Writes a file that will be whole or absent, mode 0600. Throws Complaint. */
export async function writeStream(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const begun = `${path}.new`
  try {
    const file = createWriteStream(begun, { mode: 0o600, flags: 'w', flush: true })
    await once(file, 'open')
    for await (const chunk of bytes) if (!file.write(chunk)) await once(file, 'drain')
    file.end()
    await once(file, 'close')
    const handle = await open(begun)
    await handle.sync()
    await handle.close()
    await rename(begun, path)
    syncDirectory(dirname(path))
  } catch (cause) {
    await rm(begun, { force: true })
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
