import type { Params } from '../protocol/jsonrpc.ts'
import { OutcomeUnknown, RpcError } from './errors.ts'

/** What JSON-RPC code stands for HTTP's 401: the token is missing or not valid. */
export const UNAUTHENTICATED = -32001

/** A message to the daemon. Without an id it is a notification, and nothing comes back. */
export interface Message {
  readonly jsonrpc: '2.0'
  readonly method: string
  readonly params?: Params
  readonly id?: number
}

/** What came back, and the token that was shown for it. */
export interface Answer {
  /** Undefined for a notification. */
  readonly result: unknown
  readonly error: RpcError | undefined
  readonly token: string | undefined
}

/** Carries messages to the daemon. */
export interface Transport {
  /** Throws Unreachable and OutcomeUnknown; also when `signal` aborts, with its reason as text. */
  exchange(message: Message, signal: AbortSignal): Promise<Answer>
  close(): void
}

/** Why a signal has aborted, in words. */
export function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason)
}

/** A JSON-RPC error object; undefined: it is none. */
export function readError(value: unknown): RpcError | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { code, message, data } = value as { code?: unknown; message?: unknown; data?: unknown }
  if (typeof code !== 'number' || typeof message !== 'string') return undefined
  return new RpcError(code, message, data)
}

/** The answer in the body of an HTTP response. Throws OutcomeUnknown where it is none: something in between has answered. */
export function readBody(status: number, body: string, token: string | undefined): Answer {
  if (status === 204) return { result: undefined, error: undefined, token }
  const response = parse(body)
  if (response !== undefined && 'result' in response) {
    return { result: response.result, error: undefined, token }
  }
  const error = readError(response?.error)
  if (error === undefined) throw new OutcomeUnknown(`what came back (HTTP ${status}) is no JSON-RPC`)
  return { result: undefined, error, token }
}

function parse(body: string): { result?: unknown; error?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
