import { isUtf8 } from 'node:buffer'
import { spawn } from 'node:child_process'
import { connect, type NetConnectOpts } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { Pieces } from '../../protocol/pieces.ts'
import { Correlation } from './correlation.ts'
import { awaitOpen, isLate, LARGEST_ANSWER, type Link, type OnMessage, type Read } from './link.ts'
import type { Patience } from './patience.ts'

const NEWLINE = 0x0a
/** How long it may take to connect, in milliseconds. */
const CONNECT_MS = 5_000

/** What newline-delimited JSON comes and goes over: a socket, or the pipes of a program. */
export interface Pipe {
  readonly input: Readable
  readonly output: Writable
  destroy(): void
  /** Calls back once, when it is over. */
  onEnd(listener: (cause: Error) => void): void
}

export type OpenPipe = () => Promise<Pipe>

/** An open pipe, and the calls on it. */
interface Line {
  readonly pipe: Pipe
  readonly correlation: Correlation
  /** Lines that have come. */
  heard: number
  fault: unknown
}

/** One message a line, many calls on one pipe, which is opened with the first call and again when it was lost. */
export class LineLink implements Link {
  readonly #openPipe: OpenPipe
  readonly #onMessage: OnMessage
  #open: Promise<Line> | undefined
  #current: Line | undefined

  constructor(openPipe: OpenPipe, onMessage: OnMessage) {
    this.#openPipe = openPipe
    this.#onMessage = onMessage
  }

  async request<T>(text: string, id: number, patience: Patience, read: Read<T>): Promise<T> {
    const line = await this.#connected(patience)
    const { pipe, correlation, heard } = line
    // Late, and nothing was heard since: it hangs. What it has not read must not be done after its caller was told so.
    patience.onEnd((reason) => {
      if (isLate(reason) && (heard === line.heard || pipe.output.writableLength > 0)) this.#drop(line)
    })
    return read(await correlation.wait(id, patience, () => pipe.output.write(`${text}\n`)))
  }

  async #connected(patience: Patience): Promise<Line> {
    this.#open ??= this.#connect()
    return awaitOpen(this.#open, patience)
  }

  async #connect(): Promise<Line> {
    try {
      const pipe = await this.#openPipe()
      const line: Line = { pipe, correlation: new Correlation(this.#onMessage), heard: 0, fault: undefined }
      const refuse = (error: unknown) => {
        line.fault = error
        this.#drop(line)
      }
      const take = (text: string) => {
        line.heard++
        try {
          line.correlation.take(text)
        } catch (error) {
          refuse(error)
        }
      }
      readLines(pipe.input, take, refuse)
      this.#current = line
      pipe.onEnd((cause) => {
        this.#drop(line)
        line.correlation.fail(line.fault ?? cause)
      })
      return line
    } catch (error) {
      this.#open = undefined
      throw error
    }
  }

  /** The next call opens another; what is under way on this one fails with its end. */
  #drop(line: Line): void {
    if (this.#current === line) this.#open = undefined
    line.pipe.destroy()
  }

  close(): void {
    void this.#open?.then(
      ({ pipe }) => pipe.destroy(),
      () => {},
    )
  }
}

/** Blank lines are nothing. */
function readLines(input: Readable, take: (line: string) => void, refuse: (error: Error) => void): void {
  const pieces = new Pieces()
  let isTooLong = false
  input.on('data', (chunk: Buffer) => {
    for (let from = 0; from < chunk.length; ) {
      const end = chunk.indexOf(NEWLINE, from)
      if (!isTooLong) pieces.add(chunk.subarray(from, end < 0 ? chunk.length : end))
      // Thrown away to its end: whoever has asked for it waits in vain, but the others do not.
      if (pieces.size > LARGEST_ANSWER) {
        isTooLong = true
        pieces.clear()
      }
      if (end < 0) return
      isTooLong = false
      const line = pieces.take()
      from = end + 1
      if (!isUtf8(line)) {
        refuse(new Error('a line is no UTF-8'))
        return
      }
      const text = line.toString('utf8').trim()
      if (text !== '') take(text)
    }
  })
}

/** A TCP port or a Unix socket. */
export function socketPipe(place: NetConnectOpts): OpenPipe {
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect(place)
      const timer = setTimeout(() => socket.destroy(new Error('no connection in time')), CONNECT_MS)
      socket.once('error', reject)
      socket.once('close', () => clearTimeout(timer))
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', reject)
        let cause = new Error('the connection was closed')
        socket.on('error', (error) => {
          cause = error
        })
        resolve({
          input: socket,
          output: socket,
          destroy: () => socket.destroy(),
          onEnd: (listener) => socket.once('close', () => listener(cause)),
        })
      })
    })
}

/** A program of the operator's, started with the first call, without a shell. What it says on stderr goes to ours. */
export function programPipe([program = '', ...args]: readonly string[]): OpenPipe {
  return async () => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.stdin.on('error', () => {}) // it has ended: 'exit' tells
    child.on('error', () => {}) // it cannot be killed, say
    return {
      input: child.stdout,
      output: child.stdin,
      destroy: () => {
        child.stdout.destroy()
        child.kill('SIGKILL')
      },
      // Not its output's end: a child of its own may hold that for good.
      onEnd: (listener) =>
        child.once('exit', (code, signal) => {
          setImmediate(() => {
            child.stdout.destroy() // a child of its own may go on writing
            listener(new Error(`${program} ended: ${signal ?? code}`))
          })
        }),
    }
  }
}
