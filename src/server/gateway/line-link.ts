import { isUtf8 } from 'node:buffer'
import { spawn } from 'node:child_process'
import { connect, type NetConnectOpts } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { Correlation } from './correlation.ts'
import { broken, LARGEST_ANSWER, type Link, type OnMessage } from './link.ts'

const NEWLINE = 0x0a

/** What newline-delimited JSON comes and goes over: a socket, or the pipes of a program. */
export interface Pipe {
  readonly input: Readable
  readonly output: Writable
  destroy(): void
  /** Calls back once, when it is over. */
  onEnd(listener: (cause: Error) => void): void
}

export type OpenPipe = () => Promise<Pipe>

/** One message a line, many calls on one pipe, which is opened with the first call and again when it was lost. */
export class LineLink implements Link {
  readonly #openPipe: OpenPipe
  readonly #correlation: Correlation
  #open: Promise<Pipe> | undefined

  constructor(openPipe: OpenPipe, onMessage: OnMessage) {
    this.#openPipe = openPipe
    this.#correlation = new Correlation(onMessage)
  }

  async request(text: string, id: number, signal: AbortSignal): Promise<string> {
    const pipe = await this.#connected(signal)
    return this.#correlation.wait(id, signal, () => pipe.output.write(`${text}\n`))
  }

  async notify(text: string, signal: AbortSignal): Promise<void> {
    const pipe = await this.#connected(signal)
    pipe.output.write(`${text}\n`)
  }

  async #connected(signal: AbortSignal): Promise<Pipe> {
    this.#open ??= this.#connect()
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    return Promise.race([this.#open, aborted]).catch((error: unknown) => Promise.reject(broken(error)))
  }

  async #connect(): Promise<Pipe> {
    try {
      const pipe = await this.#openPipe()
      let fault: unknown
      readLines(
        pipe.input,
        (line) => {
          try {
            this.#correlation.take(line)
          } catch (error) {
            fault = error
            pipe.destroy()
          }
        },
        (error) => {
          fault = error
          pipe.destroy()
        },
      )
      pipe.onEnd((cause) => {
        this.#open = undefined
        this.#correlation.fail(fault ?? cause)
      })
      return pipe
    } catch (error) {
      this.#open = undefined
      throw error
    }
  }

  close(): void {
    void this.#open?.then(
      (pipe) => pipe.destroy(),
      () => {},
    )
  }
}

/** Blank lines are nothing. */
function readLines(input: Readable, take: (line: string) => void, refuse: (error: Error) => void): void {
  let pieces: Buffer[] = []
  let size = 0
  input.on('data', (chunk: Buffer) => {
    for (let from = 0; from < chunk.length; ) {
      const end = chunk.indexOf(NEWLINE, from)
      const piece = chunk.subarray(from, end < 0 ? chunk.length : end)
      pieces.push(piece)
      size += piece.length
      if (size > LARGEST_ANSWER) {
        refuse(new Error(`a line is longer than ${LARGEST_ANSWER} bytes`))
        return
      }
      if (end < 0) return
      const line = Buffer.concat(pieces)
      pieces = []
      size = 0
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
      socket.once('error', reject)
      socket.once('connect', () => {
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
    child.stdin.on('error', () => {}) // it has ended: 'close' tells
    return {
      input: child.stdout,
      output: child.stdin,
      destroy: () => child.kill('SIGKILL'),
      // Not its output's end: a child of its own may hold that for good.
      onEnd: (listener) =>
        child.once('exit', (code, signal) => {
          setImmediate(() => listener(new Error(`${program} ended: ${signal ?? code}`)))
        }),
    }
  }
}
