import { type Canary, canary, type Place, signatureOf } from './canaries.ts'

const SECRET = /pst_[0-9A-Za-z]{49}|eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{20,}/g

/** What was answered. A secret may be in one answer, in which it is new, and in no other. */
export class Replies {
  /** What was answered, and to what; what is answered again and again is looked at once. */
  readonly #texts = new Map<string, string>()
  readonly #known = new Set<string>()

  /** Has been shown to whoever asked for it, so that no answer may show it. */
  know(secret: string): string {
    this.#known.add(secret)
    return secret
  }

  note(where: string, text: string): void {
    const rest = text.replace(SECRET, (secret) => {
      if (this.#known.has(secret)) return secret
      this.know(secret)
      return '[shown]'
    })
    this.#texts.set(rest, where)
  }

  get count(): number {
    return this.#texts.size
  }

  get canaries(): Canary[] {
    return [...this.#known].map((secret) =>
      secret.startsWith('pst_')
        ? canary(`token ${secret.slice(0, 8)}…`, secret)
        : signatureOf('a JWT', secret),
    )
  }

  get places(): Place[] {
    return [...this.#texts].map(([text, where]) => [`the answer to ${where}: ${text.slice(0, 300)}`, text])
  }
}
