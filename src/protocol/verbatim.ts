import { type ErrorObject, Failure, statusOfCode } from './failures.ts'

/** A result that is JSON text already, and is passed on as it is. */
export class Verbatim {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What an upstream refuses with: its own code, message and data reach the caller. */
export class UpstreamError extends Failure {
  readonly #error: ErrorObject & { data?: unknown }

  private constructor(error: ErrorObject) {
    super('upstream')
    this.#error = error
  }

  /** Throws where it is no error object (JSON-RPC 2.0 section 5.1). */
  static from(error: unknown): UpstreamError {
    const { code, message, data } = error as Record<string, unknown>
    if (!Number.isInteger(code)) throw new Error('the error has no code')
    const told = typeof message === 'string' ? message : ''
    return new UpstreamError({
      code: code as number,
      message: told,
      ...(data !== undefined && { data: data as string }),
    })
  }

  override get status(): number {
    const { code } = this.#error
    return code <= -32000 ? statusOfCode(code) : 400
  }

  override toErrorObject(): ErrorObject {
    return this.#error
  }
}
