/**
 * The closed list of what can go wrong for a caller. Codes: JSON-RPC 2.0 section 5.1 for -32700 … -32603;
 * -32500 is Zabbix's "application error"; the others are ours, from the range left to servers.
 */
export const FAILURES = {
  parse_error: { code: -32700, status: 400, message: 'Parse error' },
  invalid_request: { code: -32600, status: 400, message: 'Invalid request.' },
  method_not_found: { code: -32601, status: 400, message: 'Method not found' },
  invalid_params: { code: -32602, status: 400, message: 'Invalid params.' },
  internal: { code: -32603, status: 500, message: 'Internal error.' },
  refused_object: { code: -32500, status: 400, message: 'Application error.' },
  unauthenticated: { code: -32001, status: 401, message: 'Unauthorized.' },
  forbidden: { code: -32003, status: 403, message: 'Forbidden.' },
  conflict: { code: -32009, status: 409, message: 'Conflict.' },
  limited: { code: -32029, status: 429, message: 'Too many requests.' },
  upstream: { code: -32050, status: 502, message: 'Upstream failed.' },
  unavailable: { code: -32053, status: 503, message: 'Unavailable.' },
} as const

export type FailureName = keyof typeof FAILURES

/** What HTTP itself has a status for; the JSON-RPC body is that of `invalid_request`. RFC 9110 section 15.5, RFC 6585. */
export const HTTP_REFUSALS = {
  not_found: 404,
  wrong_verb: 405,
  too_slow: 408,
  too_large: 413,
  content_type: 415,
  expectation: 417,
  upgrade_required: 426,
  headers: 431,
  late: 504,
} as const

export type HttpRefusal = keyof typeof HTTP_REFUSALS

const STATUS_BY_CODE = new Map<number, number>(
  Object.values(FAILURES).map((facts) => [facts.code, facts.status]),
)

/** The HTTP status that goes with a JSON-RPC error code of ours. */
export function statusOfCode(code: number): number {
  return STATUS_BY_CODE.get(code) ?? FAILURES.internal.status
}

/** The `error` member of a JSON-RPC response. `data` says what is wrong and what to do. */
export interface ErrorObject {
  code: number
  message: string
  data?: string
}

export interface FailureDetails {
  readonly cause?: unknown
  readonly http?: HttpRefusal
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * A refusal with a name. `data` is for the caller; `cause` goes to the log and never further.
 * `http` picks a status where HTTP knows a better one than the failure's own.
 */
export class Failure extends Error {
  override readonly name: FailureName
  readonly data: string | undefined
  readonly http: HttpRefusal | undefined
  /** Header fields that HTTP wants beside the status: Allow, Retry-After. */
  readonly headers: Readonly<Record<string, string>>

  constructor(name: FailureName, data?: string, more: FailureDetails = {}) {
    // A refusal is no fault of the program: its stack says nothing, and taking it costs more than all the rest.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(
      data === undefined ? name : `${name}: ${data}`,
      more.cause === undefined ? {} : { cause: more.cause },
    )
    Error.stackTraceLimit = stackTraceLimit
    this.name = name
    this.data = data
    this.http = more.http
    this.headers = more.headers ?? {}
  }

  get status(): number {
    return this.http === undefined ? FAILURES[this.name].status : HTTP_REFUSALS[this.http]
  }

  /** The same as JSON text. */
  toErrorText(): string {
    return JSON.stringify(this.toErrorObject())
  }

  /** The JSON-RPC error object (section 5.1): fixed code and message, the reason as `data`. */
  toErrorObject(): ErrorObject {
    const { code, message } = FAILURES[this.name]
    return this.data === undefined ? { code, message } : { code, message, data: this.data }
  }
}

/** `limited`, with when to try again, in seconds (RFC 6585 section 4). */
export function tooMany(reason: string, seconds: number): Failure {
  return new Failure('limited', reason, { headers: { 'Retry-After': String(seconds) } })
}

/** Whatever was thrown, as a failure: what is not one of ours is `internal`, with the cause kept for the log. */
export function asFailure(thrown: unknown): Failure {
  return thrown instanceof Failure ? thrown : new Failure('internal', undefined, { cause: thrown })
}
