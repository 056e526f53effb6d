import type { Credential } from './credential.ts'
import { OutcomeUnknown, Unreachable } from './errors.ts'
import { type Answer, type Message, readBody, reasonOf, type Transport } from './transport.ts'

/** Causes of a failed fetch in Node that mean that nothing was sent. A browser does not tell. */
const NOT_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']

/** One POST a message. */
export class HttpTransport implements Transport {
  readonly #url: string
  readonly #credential: Credential

  constructor(url: URL, credential: Credential) {
    this.#url = url.href
    this.#credential = credential
  }

  async exchange(message: Message, signal: AbortSignal): Promise<Answer> {
    const token = await this.#credential.current()
    if (signal.aborted) throw new Unreachable(reasonOf(signal))
    const body = JSON.stringify(message)
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: headersFor(token),
        body,
        redirect: 'error', // the token is for this place alone
        signal,
      })
      return readBody(response.status, await response.text(), token)
    } catch (error) {
      if (error instanceof OutcomeUnknown) throw error
      if (signal.aborted) throw new OutcomeUnknown(reasonOf(signal))
      throw failureOf(error)
    }
  }

  close(): void {} // nothing stays open between calls
}

export function headersFor(token: string | undefined): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
  }
}

function failureOf(error: unknown): Error {
  const { code } = ((error as Error).cause ?? {}) as { code?: string }
  return code !== undefined && NOT_SENT.includes(code)
    ? new Unreachable(`no connection (${code})`, error)
    : new OutcomeUnknown('the connection broke', error)
}
