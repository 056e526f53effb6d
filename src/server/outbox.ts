import type { ServerResponse } from 'node:http'

/**
 * Answers, and characters of them, that may gather in one turn of the event loop before they have to go out. An answer
 * without a body counts as well: its request and response are kept as long as it waits, and a turn may take in megabytes.
 */
const MOST_ANSWERS = 256
const MOST_UNSENT = 256 * 1024

interface Due {
  readonly res: ServerResponse
  readonly body: string | undefined
}

/**
 * Answers that came about in one turn of the event loop, sent one behind the other at its end. Were each sent at once, the
 * kernel would wake somebody for each, who answers and goes back to sleep before the next: with fifty connections that
 * was a third of what a call costs. So whoever is woken finds most of what there is to read.
 */
export class Outbox {
  #due: Due[] = []
  #unsent = 0

  /** Ends a response whose head is settled, and says how long this body is. */
  end(res: ServerResponse, body: string | undefined): void {
    this.#unsent += body?.length ?? 0
    if (this.#due.push({ res, body }) === 1) setImmediate(() => this.flush())
    // What is written shows who does not read: only then nothing more is taken from them.
    if (this.#due.length >= MOST_ANSWERS || this.#unsent >= MOST_UNSENT) this.flush()
  }

  /** Returns whether there was anything. Of several on one connection each goes out when the one before it has. */
  flush(): boolean {
    const due = this.#due
    this.#due = []
    this.#unsent = 0
    for (const { res, body } of due) if (!res.destroyed) endWith(res, body)
    return due.length > 0
  }
}

/**
 * Head and body go out as one text: end(body) would hand over a list of two, of which one is empty, to be packed first;
 * that costs a twentieth of a call.
 */
function endWith(res: ServerResponse, body: string | undefined): void {
  const { socket } = res
  // Not on a socket that has ended: what is written to it vanishes, and Node would take the answer for sent, out of turn.
  if (socket === null || !socket.writable || body === undefined) {
    res.end(body) // behind the answer to an earlier request, to nobody, or but a head
    return
  }
  socket.cork()
  res.write(body)
  socket.uncork()
  res.end()
}
