import { Failure } from '../../protocol/failures.ts'

/** The way to an upstream: requests as text, with ids of ours, and answers as text. */
export interface Link {
  /** Resolves to the whole text of the response with that id. Rejects with `upstream`. Gives up when `signal` is aborted. */
  request(text: string, id: number, signal: AbortSignal): Promise<string>
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

/** What a connection comes to, for a call that waits for it no longer than its signal lets it. */
export function awaitOpen<T>(open: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return Promise.race([open, aborted]).catch((error: unknown) => Promise.reject(broken(error)))
}

export function isLate(reason: unknown): boolean {
  return reason instanceof Failure && reason.http === 'late'
}

export function late(): Failure {
  return new Failure('upstream', 'The service behind this method takes too long: try again later.', {
    http: 'late',
  })
}
