import { isUtf8 } from 'node:buffer'
import type { Socket } from 'node:net'
import { Failure } from '../protocol/failures.ts'
import { encodeFailure } from '../protocol/jsonrpc.ts'
import { Pieces } from '../protocol/pieces.ts'
import { Conversation } from './conversation.ts'
import type { Exchange } from './exchange.ts'
import type { Current, Limits } from './limits.ts'
import type { Origin } from './origin.ts'

const NEWLINE = 0x0a
const REPLACEMENT = '\ufffd'
/** How long answers that are due may take to go out once the stream's token has ended, in milliseconds. */
const CLOSING_MS = 1_000
/** JSON's own white space; trim() would take a byte order mark off as well. */
const BLANK = /^[ \t\r]*$/

/** Whether the first byte that is no white space begins a line of JSON-RPC rather than an HTTP request, whose method is in capitals. */
export function beginsStream(byte: number): boolean {
  return byte < 0x41 || byte > 0x5a
}

/** Newline-delimited JSON-RPC on a Unix socket: one message a line, answers as they complete, each with its newline. */
export class Stream {
  readonly #socket: Socket
  readonly #limits: Current<Limits>
  readonly #conversation: Conversation
  /** The pieces of a line that has not ended yet. */
  readonly #pieces = new Pieces()
  #slow: NodeJS.Timeout | undefined
  #ended = false
  /** While the conversation has enough to do: what has arrived is not even taken apart. */
  #held = false
  #rest: Buffer | undefined
  /** The other side has said all it wants to. */
  #heardAll = false

  constructor(socket: Socket, origin: Origin, exchange: Exchange, limits: Current<Limits>) {
    this.#socket = socket
    this.#limits = limits
    this.#conversation = new Conversation(exchange, origin, limits, {
      socket,
      deliver: (answers) => socket.write(`${answers.join('\n')}\n`),
      pause: () => {
        this.#held = true
        this.#stopWatch() // it is not the sender who keeps the line waiting now
        socket.pause()
      },
      resume: () => this.#resume(),
      end: (reason) => this.#endFor(reason),
    })
    socket.setTimeout(limits().idle, () => this.#idle())
    socket.on('data', (chunk) => this.#take(chunk))
    // A client that has said all it wants to (nc, a pipe) still gets its answers, and that of a last line without newline.
    socket.on('end', () => {
      this.#heardAll = true
      if (this.#rest === undefined) this.#finish()
    })
    socket.on('close', () => this.#stopWatch())
  }

  #take(chunk: Buffer): void {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at >= 0 && !this.#ended; at = chunk.indexOf(NEWLINE, from)) {
      if (this.#held) {
        this.#rest = chunk.subarray(from)
        return
      }
      if (this.#pieces.size === 0 && at - from <= this.#limits().frame) this.#receive(chunk, from, at)
      else {
        this.#add(chunk.subarray(from, at))
        this.#endLine()
      }
      from = at + 1
    }
    if (from < chunk.length && !this.#ended) this.#add(chunk.subarray(from))
    if (this.#pieces.size > 0)
      this.#slow ??= setTimeout(
        () => this.#refuse('The line took too long to arrive.'),
        this.#limits().body_timeout,
      )
  }

  #resume(): void {
    this.#held = false
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined) this.#take(rest)
    if (this.#rest !== undefined) return
    if (this.#heardAll) this.#finish()
    else if (!this.#held) this.#socket.resume()
  }

  #finish(): void {
    this.#endLine()
    this.#close()
  }

  #add(piece: Buffer): void {
    this.#pieces.add(piece)
    if (this.#pieces.size > this.#limits().frame)
      this.#refuse(`The line is longer than ${this.#limits().frame} bytes.`)
  }

  #endLine(): void {
    const line = this.#pieces.take()
    this.#stopWatch()
    this.#receive(line, 0, line.length)
  }

  /** A whole line. */
  #receive(bytes: Buffer, start: number, end: number): void {
    const text = bytes.toString('utf8', start, end)
    // Only what is no UTF-8, or says so itself, is decoded to a replacement character.
    if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end)))
      this.#conversation.say(encodeFailure(new Failure('parse_error', 'The line is not valid UTF-8.')))
    else if (!BLANK.test(text)) this.#conversation.receive(text)
  }

  #stopWatch(): void {
    clearTimeout(this.#slow)
    this.#slow = undefined
  }

  #refuse(reason: string): void {
    this.#pieces.clear()
    this.#stopWatch() // or the same line is refused once more, for its slowness
    this.#ended = true
    this.#conversation.say(encodeFailure(new Failure('invalid_request', reason)))
    // The lines before it were whole. What still comes is thrown away: closing under the sender's hands loses the answers.
    this.#conversation.finish(() => this.#socket.end().resume())
    setTimeout(() => this.#socket.destroy(), CLOSING_MS).unref()
  }

  // Neither a line nor an answer moved for so long: nobody is there, or nobody reads.
  #idle(): void {
    if (this.#conversation.watched && this.#conversation.idle) return
    if (this.#conversation.idle) this.#socket.destroySoon()
    else this.#socket.destroy()
  }

  /** A token that the stream rests on has ended. */
  #endFor(reason: string): void {
    this.#conversation.say(encodeFailure(new Failure('unauthenticated', `The ${reason}.`)))
    this.end()
    setTimeout(() => this.#socket.destroy(), CLOSING_MS).unref() // who does not read is not waited for
  }

  /** Begins no more calls; closes when those under way are answered. */
  end(): void {
    this.#conversation.drop()
    this.#close()
  }

  #close(): void {
    this.#ended = true
    this.#conversation.finish(() => this.#socket.end(() => this.#socket.destroy()))
  }
}
