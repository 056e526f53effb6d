/** What a stranger can make grow, each with its bound. Bytes, milliseconds, counts. Read anew at every use: SIGHUP changes them. */
export interface Limits {
  /** Bytes of an HTTP body. */
  readonly body: number
  /** Nesting of arrays and objects in a message. */
  readonly depth: number
  /** Calls in one batch. */
  readonly batch: number
  /** Bytes of a request's head. */
  readonly headers: number
  /** Connections open at a time, on all doors. */
  readonly connections: number
  /** Of them, from one TCP address. */
  readonly connections_per_address: number
  /** Calls under way at a time on one connection. */
  readonly in_flight: number
  /** Milliseconds until a request's head must have arrived. */
  readonly header_timeout: number
  /** Milliseconds until a whole request, or a line once begun, must have arrived. */
  readonly body_timeout: number
  /** Milliseconds without anything on a connection. */
  readonly idle: number
  /** Bytes of a WebSocket message or of a line. */
  readonly frame: number
}

/** The present value of something that can be reloaded. */
export type Current<T> = () => T
