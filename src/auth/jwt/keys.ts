import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { Failure } from '../../protocol/failures.ts'
import { type Algorithm, isShared } from './configuration.ts'

/** What jose signs and verifies with: the bytes of a shared secret, or a key. */
export type Key = Uint8Array | KeyObject

/** RFC 7518 section 3.3. */
const LEAST_RSA_BITS = 2048
const CURVES: Readonly<Record<string, string>> = {
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
}

/** The key that verifies: a shared secret is its text's bytes, a public key a PEM or its Base64 body. Throws `invalid_params`. */
export async function importPublic(text: string, algorithm: Algorithm): Promise<Key> {
  if (isShared(algorithm)) return shared(text)
  // A private key, or a certificate, would do for OpenSSL; neither belongs here.
  const label = /-----BEGIN ([A-Z ]+)-----/.exec(text)?.[1]
  if (label !== undefined && !label.endsWith('PUBLIC KEY')) throw new RangeError('it is not a public key')
  return fitting(createPublicKey(label === undefined ? pem(text, 'PUBLIC KEY') : text), algorithm)
}

/** The key that signs, likewise. */
export async function importPrivate(text: string, algorithm: Algorithm): Promise<Key> {
  if (isShared(algorithm)) return shared(text)
  return fitting(createPrivateKey(text.includes('-----BEGIN') ? text : pem(text, 'PRIVATE KEY')), algorithm)
}

function shared(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length === 0) throw new RangeError('the secret is empty')
  return bytes
}

function pem(body: string, label: string): string {
  const lines = body.replace(/\s+/g, '').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

function fitting(key: KeyObject, algorithm: Algorithm): KeyObject {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  const curve = CURVES[algorithm]
  const fits =
    curve === undefined
      ? key.asymmetricKeyType === 'rsa' && modulusLength >= LEAST_RSA_BITS
      : key.asymmetricKeyType === 'ec' && namedCurve === curve
  if (!fits) throw new RangeError(`the key does not fit ${algorithm}`)
  return key
}

/** What OpenSSL thinks of a key is no cause for the caller to see: it may quote it. */
export function refuseKey(cause: unknown): never {
  const reason =
    cause instanceof RangeError ? cause.message : 'it cannot be read: send a PEM, or its Base64 body'
  throw new Failure('invalid_params', `The key is not usable: ${reason}.`)
}
