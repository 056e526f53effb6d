import { createHmac, hash as digest, randomFillSync } from 'node:crypto'
import { inspect } from 'node:util'
import { crc32 } from 'node:zlib'

/**
 * A text that must not be printed. Whatever logs, serialises or concatenates it gets `[secret]`; only reveal() gives the
 * text, at the few places where a secret is handed to its owner.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

const PREFIX = 'pst_'
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BODY_DIGITS = 43 // 62^43 > 2^256
const CHECK_DIGITS = 6 // 62^6 > 2^32
const LENGTH = PREFIX.length + BODY_DIGITS + CHECK_DIGITS
const LONGEST = 64
const SHAPE = /^pst_[0-9A-Za-z]{49}$/

// Random bytes are drawn in advance: a call for 32 costs as much as one for 4,096.
const pool = Buffer.alloc(4096)
let drawn = pool.length

function randomBytes32(): Buffer {
  if (drawn === pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  const bytes = Buffer.from(pool.subarray(drawn, drawn + 32))
  pool.fill(0, drawn, drawn + 32) // a secret is in memory once
  drawn += 32
  return bytes
}

/** A new secret: `pst_`, 32 random bytes in base62, and a checksum by which garbage is told without touching the store. */
export function mintSecret(): Secret {
  return new Secret(printSecret(randomBytes32()))
}

/** 32 bytes as a secret's text. */
export function printSecret(bytes: Uint8Array): string {
  const body = PREFIX + base62(BigInt(`0x${Buffer.from(bytes).toString('hex')}`), BODY_DIGITS)
  return body + checksum(body)
}

const HEX_SHAPE = /^[0-9a-f]{64}$/

/** A new secret as Zabbix prints them: 32 random bytes as 64 hexadecimal digits, without a checksum. */
export function mintHexSecret(): Secret {
  return new Secret(randomBytes32().toString('hex'))
}

/** Whether a text is as long as a secret: what else it would have to be is looked at only when it is not known already. */
export function isSecretSized({ length }: string): boolean {
  return length === LENGTH || length === LONGEST
}

/** Whether a text could be a secret at all, whoever printed it. */
export function isSecretShaped(text: string): boolean {
  if (text.length === LONGEST) return HEX_SHAPE.test(text)
  return text.length === LENGTH && SHAPE.test(text) && text.endsWith(checksum(text.slice(0, -CHECK_DIGITS)))
}

function checksum(body: string): string {
  let text = ''
  for (let rest = crc32(body); text.length < CHECK_DIGITS; rest = Math.floor(rest / 62)) {
    text = DIGITS.charAt(rest % 62) + text
  }
  return text
}

/** Digits that are taken off at a time: what they stand for is exact as a number, and far cheaper to divide. */
const CHUNK_DIGITS = 8
const CHUNK = 62n ** BigInt(CHUNK_DIGITS)

function base62(value: bigint, width: number): string {
  let text = ''
  for (let rest = value; rest > 0n; rest /= CHUNK) {
    let chunk = Number(rest % CHUNK)
    for (let digit = 0; digit < CHUNK_DIGITS; digit++, chunk = Math.floor(chunk / 62))
      text = DIGITS.charAt(chunk % 62) + text
  }
  return text.padStart(width, '0').slice(-width)
}

const BLOCK = 64 // bytes that SHA-256 takes at a time
const DIGEST = 32

/**
 * The key that secrets are hashed under. What is stored in place of a secret is its HMAC-SHA-256 (RFC 2104), put together
 * from two one-shot hashes: half the time of createHmac(), on the path of every verification.
 */
export class Pepper {
  readonly #inner = Buffer.alloc(BLOCK + LONGEST, 0x36)
  readonly #outer = Buffer.alloc(BLOCK + DIGEST, 0x5c)

  /** `key`: 32 bytes. */
  constructor(key: Uint8Array) {
    for (let at = 0; at < key.length; at++) {
      this.#inner[at] = (key[at] as number) ^ 0x36
      this.#outer[at] = (key[at] as number) ^ 0x5c
    }
  }

  /** Keys for other purposes that are made from the pepper, so that there is one file to keep safe: 32 bytes each. */
  static derive(key: Uint8Array, purpose: string): Buffer {
    return createHmac('sha256', key).update(purpose).digest()
  }

  /**
   * The hash of a text that is as long as a secret, in base64url. Of its UTF-8 form, which no other text shares: what has
   * the hash of a stored secret is that secret, so that its shape needs no second look.
   */
  hash(secret: string): string {
    const end = BLOCK + this.#inner.write(secret, BLOCK, 'utf8')
    this.#outer.write(digest('sha256', this.#inner.subarray(0, end), 'binary'), BLOCK, 'latin1')
    return digest('sha256', this.#outer, 'base64url')
  }
}
