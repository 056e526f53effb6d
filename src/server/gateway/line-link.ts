import { spawn } from 'node:child_process'
import { connect, type NetConnectOpts } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { Correlation } from './correlation.ts'
import { broken, LARGEST_ANSWER, type Link, type OnMessage } from './link.ts'

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
    return this.#correlation.wait(id, signal, () => pipe.output.write(`${text}\r\n`))
  }

  async notify(text: string, signal: AbortSignal): Promise<void> {
    const pipe = await this.#connected(signal)
    pipe.output.write(`${text}\r\n`)
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
  let pieces: string[] = []
  let size = 0
  input.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = chunk.split('\n')
    for (const [at, part] of parts.entries()) {
      pieces.push(part)
      size += part.length
      if (size > LARGEST_ANSWER) {
        refuse(new Error(`a line is longer than ${LARGEST_ANSWER} characters`))
        return
      }
      if (at === parts.length - 1) return
      const line = pieces.join('').trim()
      pieces = []
      size = 0
      if (line !== '') take(line)
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
      onEnd: (listener) =>
        child.once('close', (code, signal) => listener(new Error(`${program} ended: ${signal ?? code}`))),
    }
  }
}
