import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { Complaint, inWords } from '../protocol/complaint.ts'

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** A certificate with its key, and the TLS that is spoken with it: 1.2 and later, no renegotiation, HTTP/1.1 alone. */
export class Certificate {
  #current: { readonly context: SecureContext; readonly fingerprint: string }

  /** Throws Complaint. */
  constructor(files: CertificateFiles) {
    this.#current = load(files)
  }

  /**
   * Reads the files again. Says whether it is another certificate, and how to put it in the old one's place; open
   * connections keep theirs. Throws Complaint, and the old one stays.
   */
  prepare(files: CertificateFiles): { readonly renewed: boolean; apply(): void } {
    const next = load(files)
    return {
      renewed: next.fingerprint !== this.#current.fingerprint,
      apply: () => {
        this.#current = next
      },
    }
  }

  /** The server's side of a handshake. `enter` gets the connection once it stands; one that takes too long is ended. */
  secure(raw: Socket, milliseconds: number, enter: (socket: TLSSocket) => void): void {
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: this.#current.context,
      ALPNProtocols: ['http/1.1'],
    })
    const giveUp = () => socket.destroy()
    socket.on('error', giveUp)
    socket.on('_tlsError', giveUp) // a fault within TLS; without a tls.Server nobody else hears of it
    // Gone before there was anything to end: both may stay half open, and would until their time is over.
    raw.on('end', giveUp)
    socket.on('end', giveUp)
    const timer = setTimeout(giveUp, milliseconds)
    socket.once('close', () => {
      clearTimeout(timer)
      raw.destroy()
    })
    socket.once('secure', () => {
      clearTimeout(timer)
      raw.off('end', giveUp)
      socket.off('end', giveUp)
      enter(socket)
    })
  }
}

function load({ cert, key }: CertificateFiles): { context: SecureContext; fingerprint: string } {
  const [certificate, privateKey] = [read(cert), read(key)]
  try {
    const context = createSecureContext({
      cert: certificate,
      key: privateKey,
      minVersion: 'TLSv1.2',
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    })
    const parsed = new X509Certificate(certificate)
    // OpenSSL compares them only where they are of one kind (RSA, EC).
    if (!parsed.checkPrivateKey(createPrivateKey(privateKey))) throw new Error('key values mismatch')
    return { context, fingerprint: parsed.fingerprint256 }
  } catch (cause) {
    throw new Complaint(
      `the certificate ${cert} and the key ${key} cannot be used: ${reasonOf(cause)}`,
      'they have to belong together, both in PEM',
      { cause },
    )
  }
}

/** OpenSSL's own words, without its numbers: "key values mismatch". */
function reasonOf(error: unknown): string {
  const { message } = error as Error
  return message.slice(message.lastIndexOf(':') + 1)
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new Complaint(`cannot read ${file}: ${inWords(cause)}`, 'the daemon needs it for TLS', { cause })
  }
}
