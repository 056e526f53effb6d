/** The daemon's refusal, or that of a method: JSON-RPC's code, message and data. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  /** What is wrong and what to do, as text, where the daemon itself refuses. */
  readonly data: unknown

  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** The call was sent, and no answer came: it may have taken effect or not. Look before making it again. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown'

  constructor(why: string, cause?: unknown) {
    super(`${why}: whether the call took effect is unknown`, cause === undefined ? {} : { cause })
  }
}

/** The call was not made: certainly it took no effect, and may be made again. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'

  constructor(why: string, cause?: unknown) {
    super(`${why}: the call was not made`, cause === undefined ? {} : { cause })
  }
}
