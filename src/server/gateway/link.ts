import { Failure } from '../../protocol/failures.ts'
import type { Patience } from './patience.ts'

/** Makes of an answer's whole text what it says. Throws where it is no answer to the call. */
export type Read<T> = (answer: string) => T

/** The way to an upstream: requests as text, with ids of ours, and answers as text. */
export interface Link {
  /** Resolves to what `read` makes of the response with that id. Rejects with `upstream`, or what `read` throws. Gives up when `patience` ends. */
  request<T>(text: string, id: number, patience: Patience, read: Read<T>): Promise<T>
  close(): void
}

/** What a link tells of its own accord: a message that answers nothing. */
export type OnMessage = (text: string, message: Readonly<Record<string, unknown>>) => void

/** Bytes of one answer. More than this is no answer, but an attack or a mistake. */
export const LARGEST_ANSWER = 16 * 1024 * 1024

/** The cause goes to the log; the caller learns whose fault it is. */
export function broken(cause: unknown): Failure {
  if (cause instanceof Failure) return cause
  return new Failure(
    'upstream',
    'The service behind this method does not answer as it should: try again later.',
    {
      cause,
    },
  )
}

/** What a connection comes to, for a call that waits for it as long as its patience lasts. */
export function awaitOpen<T>(open: Promise<T>, patience: Patience): Promise<T> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown) => {
      patience.off(refuse)
      reject(broken(error))
    }
    patience.onEnd(refuse)
    open.then((opened) => {
      patience.off(refuse)
      resolve(opened)
    }, refuse)
  })
}

export function isLate(reason: unknown): boolean {
  return reason instanceof Failure && reason.http === 'late'
}

export function late(): Failure {
  return new Failure('upstream', 'The service behind this method takes too long: try again later.', {
    http: 'late',
  })
}
