/** Milliseconds after which a waiting thread looks again by itself. */
const LOOK_AGAIN_MS = 1

export function mutexMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
}

/** One thread at a time, for what takes microseconds: whoever has to wait blocks its thread. */
export class Mutex {
  readonly #taken: Int32Array

  constructor(memory: SharedArrayBuffer = mutexMemory()) {
    this.#taken = new Int32Array(memory, 0, 1)
  }

  run<T>(work: () => T): T {
    while (Atomics.compareExchange(this.#taken, 0, 0, 1) !== 0) Atomics.wait(this.#taken, 0, 1, LOOK_AGAIN_MS)
    try {
      return work()
    } finally {
      Atomics.store(this.#taken, 0, 0)
      Atomics.notify(this.#taken, 0, 1)
    }
  }
}
