import { readFileSync } from 'node:fs'
import { ReadableStream } from 'node:stream/web'
import { Complaint, inWords } from '../../protocol/complaint.ts'

/** What a backup with the pepper is encrypted to; the format is age's (age-encryption.org/v1), so age itself can open it. */
export type EncryptTo = { readonly recipients: readonly string[] } | { readonly passphrase: string }

/** What opens it again. */
export interface DecryptWith {
  /** Files with age identities (AGE-SECRET-KEY-1…), one a line. */
  readonly identities: readonly string[]
  readonly passphrase: string | undefined
}

const MAGIC = Buffer.from('age-encryption.org/v1')

export function isEncrypted(start: Uint8Array): boolean {
  return MAGIC.equals(start.subarray(0, MAGIC.length))
}

/** Throws Complaint for a recipient that is none. */
export async function encrypt(
  plain: AsyncIterable<Uint8Array>,
  to: EncryptTo,
): Promise<AsyncIterable<Uint8Array>> {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  if ('passphrase' in to) encrypter.setPassphrase(to.passphrase)
  else {
    for (const recipient of to.recipients) {
      try {
        encrypter.addRecipient(recipient)
      } catch (cause) {
        throw new Complaint(
          `--recipient ${recipient}: not a recipient of age`,
          'age-keygen makes one (age1…)',
          {
            exitCode: 2,
            cause,
          },
        )
      }
    }
  }
  return encrypter.encrypt(ReadableStream.from(plain) as globalThis.ReadableStream<Uint8Array>)
}

/** Throws Complaint where nothing of what is given opens it. */
export async function decrypt(
  bytes: AsyncIterable<Uint8Array>,
  { identities, passphrase }: DecryptWith,
): Promise<AsyncIterable<Uint8Array>> {
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  if (identities.length === 0 && passphrase === undefined) {
    throw new Complaint('the backup is encrypted', 'name --passphrase-file or --identity', { exitCode: 2 })
  }
  if (passphrase !== undefined) decrypter.addPassphrase(passphrase)
  for (const file of identities) for (const key of readIdentities(file)) decrypter.addIdentity(key)
  try {
    return whole(await decrypter.decrypt(ReadableStream.from(bytes) as globalThis.ReadableStream<Uint8Array>))
  } catch (cause) {
    throw new Complaint('the backup cannot be opened with that passphrase or identity', undefined, { cause })
  }
}

/** Each part of the file is sealed: one that was altered, or that is missing, shows when it is read. */
async function* whole(plain: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* plain
  } catch (cause) {
    throw new Complaint('the backup is damaged or not whole', 'take another one; nothing was changed', {
      cause,
    })
  }
}

function readIdentities(file: string): string[] {
  return readSecretFile(file)
    .split('\n')
    .filter((line) => line.startsWith('AGE-SECRET-KEY-'))
}

/** A file with a secret, without the newline at its end. */
export function readSecretFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (cause) {
    throw new Complaint(`cannot read ${file}: ${inWords(cause)}`, undefined, { cause })
  }
}
