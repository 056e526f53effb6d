import { closeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { duplicate } from '../linux/duplicate.ts'
import { descriptorOf } from '../linux/peer.ts'
import type { ConnectionCounts } from './connection-counts.ts'

/** Has a worker take a connection over: `at` says which of the listening sockets it came in on. Rejects where it does not. */
export type Pass = (worker: number, at: number, fd: number) => Promise<void>

/**
 * Spreads connections over the workers. The kernel wakes all of them, and whoever is awake takes everything that comes in
 * one go: of fifty connections that a client opens at once, one worker had all.
 */
export class Relay {
  readonly #counts: ConnectionCounts
  readonly #workers: () => number
  readonly #pass: Pass

  /** `workers`: those that listen. */
  constructor(counts: ConnectionCounts, workers: () => number, pass: Pass) {
    this.#counts = counts
    this.#workers = workers
    this.#pass = pass
  }

  /** True: another worker has it from now on. Nothing may have been read from it yet. */
  relay(socket: Socket, at: number): boolean {
    const worker = this.#counts.lighter(this.#workers())
    if (worker === undefined) return false
    const own = descriptorOf(socket)
    const fd = own === undefined ? undefined : duplicate(own)
    if (fd === undefined) return false
    socket.destroy() // this descriptor of it; the connection stays open
    this.#counts.coming(worker, 1)
    this.#pass(worker, at, fd)
      .catch(() => closeSync(fd)) // that worker is closing
      .finally(() => this.#counts.coming(worker, -1))
    return true
  }
}
