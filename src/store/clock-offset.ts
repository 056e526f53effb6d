import { Mutex, mutexMemory } from '../protocol/mutex.ts'

/** What the clocks of several threads believe in together. */
export interface OffsetMemory {
  readonly value: SharedArrayBuffer
  readonly mutex: SharedArrayBuffer
}

export function offsetMemory(): OffsetMemory {
  const value = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
  new Float64Array(value)[0] = Number.NaN
  return { value, mutex: mutexMemory() }
}

/** Believed time minus monotonic time: one for all threads of a process, whose monotonic clocks are one. */
export class ClockOffset {
  readonly #value: Float64Array
  readonly #mutex: Mutex

  /** `initial`: where no thread has set it yet. */
  constructor(initial: number, { value, mutex }: OffsetMemory = offsetMemory()) {
    this.#value = new Float64Array(value)
    this.#mutex = new Mutex(mutex)
    if (Number.isNaN(this.value)) this.#value[0] = initial
  }

  get value(): number {
    return this.#value[0] as number
  }

  /** Never lowers it: another thread may have raised it further meanwhile. */
  raise(to: number): void {
    this.#mutex.run(() => {
      if (to > this.value) this.#value[0] = to
    })
  }

  set(to: number): void {
    this.#mutex.run(() => {
      this.#value[0] = to
    })
  }
}
