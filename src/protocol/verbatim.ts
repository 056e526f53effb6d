import { Failure, statusOfCode } from './failures.ts'

/** A result that is JSON text already, on one line, and is passed on as it is. */
export class Verbatim {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What an upstream refuses with: its own words reach the caller. */
export class UpstreamError extends Failure {
  readonly #code: number
  readonly #text: string

  private constructor(code: number, text: string) {
    super('upstream')
    this.#code = code
    this.#text = text
  }

  /** `text`: the error's own, which is passed on as it is. Throws where it is no error object (JSON-RPC 2.0 section 5.1). */
  static from(error: unknown, text: string): UpstreamError {
    const { code, message } = error as Record<string, unknown>
    if (!Number.isInteger(code) || typeof message !== 'string')
      throw new Error('the error is no error object')
    return new UpstreamError(code as number, text)
  }

  override get status(): number {
    // Of JSON-RPC's own codes; the others mean what they mean there: a client must not take one for a word of ours.
    return this.#code >= -32700 && this.#code <= -32600 ? statusOfCode(this.#code) : 400
  }

  override toErrorText(): string {
    return this.#text
  }
}
