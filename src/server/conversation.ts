import type { Socket } from 'node:net'
import type { Outlet } from '../auth/caller.ts'
import { after } from '../protocol/maybe.ts'
import type { Exchange } from './exchange.ts'
import { isBusy } from './in-flight.ts'
import type { Current, Limits } from './limits.ts'
import type { Origin } from './origin.ts'

/** Answers, and characters of them, that may gather in one turn of the event loop before they have to go out. */
const MOST_ANSWERS = 256
const MOST_UNSENT = 256 * 1024

/** What a transport does for its conversation. */
export interface Transport {
  /** The connection underneath, for back pressure. */
  readonly socket: Socket
  /** Sends answers that came about in one turn of the event loop. */
  deliver(answers: readonly string[]): void
  pause(): void
  resume(): void
  /** Ends the connection and says why: a token that it rests on has ended. */
  end(reason: string): void
}

/**
 * Many calls on one connection, answered as they complete. No more than `in_flight` run at a time, and none is begun
 * while the other side does not read its answers; what has arrived by then waits, and nothing more is read.
 */
export class Conversation implements Outlet {
  readonly #exchange: Exchange
  readonly #origin: Origin
  readonly #limits: Current<Limits>
  readonly #transport: Transport
  readonly #waiting: string[] = []
  #answers: string[] = []
  /** Characters of them. */
  #unsent = 0
  /** Who waits until more can be sent. */
  readonly #roomFor: (() => void)[] = []
  readonly #onClose: (() => void)[] = []
  #watched = false
  #paused = false
  #draining = false
  #proceeding = false
  /** `ended`: nothing more comes, `over`: and nothing more is told. */
  #input: 'open' | 'ended' | 'over' = 'open'
  #onDone: (() => void) | undefined

  constructor(exchange: Exchange, origin: Origin, limits: Current<Limits>, transport: Transport) {
    this.#exchange = exchange
    this.#origin = { ...origin, outlet: this }
    this.#limits = limits
    this.#transport = transport
    transport.socket.once('close', () => {
      this.#makeRoom()
      for (const listener of this.#onClose.splice(0)) listener()
    })
  }

  /** A message has arrived. */
  receive(text: string): void {
    if (this.#input !== 'open') return
    if (this.#busy()) {
      this.#waiting.push(text)
      this.#pause()
    } else this.#run(text)
  }

  /** Takes no more messages; calls back when those that it took are answered, and the answers handed over. */
  finish(onDone: () => void): void {
    if (this.#input === 'open') this.#input = 'ended'
    this.#onDone = onDone
    this.#checkDone()
  }

  /** Takes no more messages, and begins none of those that it took. */
  drop(): void {
    this.#waiting.length = 0
    this.#input = 'over'
  }

  get idle(): boolean {
    const { inFlight, queued } = this.#origin.connection
    return inFlight === 0 && !queued && this.#waiting.length === 0 && this.#answers.length === 0
  }

  /** Whether nothing more is read for now. */
  get isHeld(): boolean {
    return this.#paused
  }

  #busy(): boolean {
    // Answers that were there at once are not in flight, and none is sent before the turn ends.
    if (this.#answers.length >= MOST_ANSWERS || this.#unsent >= MOST_UNSENT) return true
    return isBusy(this.#origin.connection, this.#transport.socket, this.#limits().in_flight)
  }

  #run(text: string): void {
    const { commons, known } = this.#origin.connection
    if (known) {
      commons.pass()
      this.#answer(text)
    } else commons.serve(this.#origin.connection, () => this.#answer(text))
  }

  #answer(text: string): void {
    if (this.#input === 'over') {
      this.#checkDone()
      return
    }
    void after(this.#exchange.answer(text, this.#origin), ({ body }) => {
      if (body !== undefined) this.say(body)
      if (this.#waiting.length > 0 || this.#paused || this.#input !== 'open') this.proceed()
    })
  }

  /** Sends a text. Those of one turn go out together: one system call instead of one each. */
  say(text: string): void {
    this.#answers.push(text)
    this.#unsent += text.length
    if (this.#answers.length === 1) setImmediate(() => this.#deliver())
  }

  /** A message of its own accord. Resolves when there is room for more; false: the connection is over. */
  async send(text: string): Promise<boolean> {
    const { socket } = this.#transport
    if (socket.destroyed || this.#input === 'over') return false
    this.say(text)
    if (this.#unsent >= MOST_UNSENT || socket.writableNeedDrain)
      await new Promise<void>((resolve) => this.#roomFor.push(resolve))
    return !socket.destroyed
  }

  end(reason: string): void {
    this.#transport.end(reason)
  }

  /** At once, if it is closed already. */
  onClose(listener: () => void): void {
    this.#watched = true
    if (this.#origin.connection.closed || this.#transport.socket.destroyed) listener()
    else this.#onClose.push(listener)
  }

  /** Whether somebody waits for messages on it: then silence is no reason to end it. */
  get watched(): boolean {
    return this.#watched
  }

  #makeRoom(): void {
    for (const goOn of this.#roomFor.splice(0)) goOn()
  }

  #deliver(): void {
    const answers = this.#answers
    this.#answers = []
    this.#unsent = 0
    const { socket } = this.#transport
    if (socket.writable) this.#transport.deliver(answers)
    if (socket.writableNeedDrain) this.#awaitDrain(socket)
    else {
      this.#makeRoom()
      if (this.#waiting.length > 0 || this.#paused) this.proceed()
    }
    this.#checkDone()
  }

  #awaitDrain(socket: Socket): void {
    this.#pause()
    if (this.#draining) return
    this.#draining = true
    socket.once('drain', () => {
      this.#draining = false
      this.#makeRoom()
      this.proceed()
    })
  }

  /** Goes on with what has arrived, as far as there is time for it. */
  proceed(): void {
    if (this.#proceeding) return // an answer that was there at once has come back to here
    this.#proceeding = true
    if (this.#origin.connection.closed) this.#waiting.length = 0
    while (this.#waiting.length > 0 && !this.#busy()) this.#run(this.#waiting.shift() as string)
    this.#proceeding = false
    if (this.#paused && this.#waiting.length === 0 && !this.#busy()) {
      this.#paused = false
      this.#transport.resume()
    }
    this.#checkDone()
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#transport.pause()
  }

  #checkDone(): void {
    if (this.#input === 'open' || !this.idle) return
    const onDone = this.#onDone
    this.#onDone = undefined
    onDone?.()
  }
}
