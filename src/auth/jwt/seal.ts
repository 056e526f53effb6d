import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** What the sealing key is derived from the pepper for. */
export const SEAL_PURPOSE = 'postern jwt secrets'

const CIPHER = 'aes-256-gcm'
const NONCE = 12
const TAG = 16

/** Secrets that have to be had back, encrypted at rest under a key made from the pepper (pitfall 29). */
export class Seal {
  readonly #key: Buffer

  /** `key`: 32 bytes. */
  constructor(key: Buffer) {
    this.#key = key
  }

  /** `about`: to whom it belongs; it opens for nobody else. */
  close(secret: string, about: string): string {
    const nonce = randomBytes(NONCE)
    const cipher = createCipheriv(CIPHER, this.#key, nonce).setAAD(Buffer.from(about))
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')
  }

  /** Throws where it is not what was sealed, or was sealed under another pepper. */
  open(text: string, about: string): string {
    const bytes = Buffer.from(text, 'base64url')
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE), { authTagLength: TAG })
    decipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(NONCE, NONCE + TAG))
    return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]).toString('utf8')
  }
}
