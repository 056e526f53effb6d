import { randomBytes } from 'node:crypto'

/** A secret that was put somewhere, to see where else it comes up. */
export interface Canary {
  /** For the message of the test that finds it. */
  readonly name: string
  readonly bytes: Buffer
}

/** Where something lies that may hold a canary, and the bytes of it. */
export type Place = readonly [where: string, content: Buffer | string]

/** Of a secret's middle, so many bytes are as good as the whole: the rest can be guessed, or tried. */
const PART = 20

export function canary(name: string, secret: string | Buffer): Canary {
  return { name, bytes: typeof secret === 'string' ? Buffer.from(secret) : secret }
}

/** Of a signed token the head and the claims are no secret, the signature is. */
export function signatureOf(name: string, jwt: string): Canary {
  return canary(`the signature of ${name}`, jwt.slice(jwt.lastIndexOf('.') + 1))
}

/** A text that nobody else has, with letters that URLs, forms and JSON write in another way. */
export function uniqueSecret(name: string): string {
  return `${name}/${randomBytes(15).toString('hex')}+=&"%`
}

/** Every way in which a secret could be written down, its middle included. */
export function formsOf(secret: Buffer): Buffer[] {
  const start = Math.max(0, Math.floor((secret.length - PART) / 2))
  const parts = [secret, secret.subarray(start, start + PART)]
  const text = secret.toString('latin1')
  const forms = [
    encodeURIComponent(text),
    new URLSearchParams([['', text]]).toString().slice(1),
    JSON.stringify(text).slice(1, -1),
    ...parts.flatMap((part) => [part.toString('hex'), part.toString('hex').toUpperCase()]),
    ...base64Of(secret),
  ]
  return [
    ...parts,
    ...parts.map((part) => Buffer.from(part.toString('latin1'), 'utf16le')),
    ...new Set(forms.map((form) => Buffer.from(form, 'latin1'))),
  ]
}

/** What of a secret's base64 is the same whatever stands before and behind it: three ways to begin, and two alphabets. */
function base64Of(secret: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const coded = Buffer.concat([Buffer.alloc(before), secret])
      .toString('base64')
      .replaceAll('=', '')
    const whole = coded.slice(Math.ceil((before * 8) / 6), -1)
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/** So many findings are enough: assert takes minutes to compare lists of thousands. */
const ENOUGH = 10

/** Which canaries are in which places: a sentence for each of the first. */
export function finds(places: Iterable<Place>, canaries: readonly Canary[]): string[] {
  const looked = canaries.map(({ name, bytes }) => ({ name, forms: formsOf(bytes) }))
  const found: string[] = []
  for (const [where, content] of places) {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    const here = looked.filter(({ forms }) => forms.some((form) => bytes.includes(form)))
    found.push(...here.map(({ name }) => `${name} is in ${where}`))
    if (found.length >= ENOUGH) break
  }
  return found.slice(0, ENOUGH)
}
