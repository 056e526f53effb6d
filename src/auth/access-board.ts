/** Places; what has none left is seen by the other threads when it has been written to the store. */
const PLACES = 65_536
const BYTES_OF_PLACE = Int32Array.BYTES_PER_ELEMENT + Float64Array.BYTES_PER_ELEMENT

export function accessMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(PLACES * BYTES_OF_PLACE)
}

/**
 * When tokens were last accepted, for all threads of a process to see before it is written. By number: the place is the
 * number's lower part, and who is in it the upper one, so that tokens made one after the other have places of their own.
 */
export class AccessBoard {
  readonly #times: Float64Array
  readonly #owners: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.#times = new Float64Array(memory, 0, PLACES)
    this.#owners = new Int32Array(memory, PLACES * Float64Array.BYTES_PER_ELEMENT, PLACES)
  }

  /** Forward only. */
  touch(number: number, at: number): void {
    const place = number % PLACES
    const owner = ownerOf(number)
    const isMine = Atomics.load(this.#owners, place) === owner
    if (isMine && at <= (this.#times[place] as number)) return
    // Nobody reads it for another one's: it has no owner until it is written.
    if (!isMine) Atomics.store(this.#owners, place, 0)
    this.#times[place] = at
    if (!isMine) Atomics.store(this.#owners, place, owner)
  }

  read(number: number): number | undefined {
    const place = number % PLACES
    const owner = ownerOf(number)
    if (Atomics.load(this.#owners, place) !== owner) return undefined
    const at = this.#times[place] as number
    return Atomics.load(this.#owners, place) === owner ? at : undefined
  }
}

/** Never 0, which is nobody. */
function ownerOf(number: number): number {
  return (Math.floor(number / PLACES) + 1) | 0
}

export function latest(one: number | undefined, other: number | undefined): number | undefined {
  return one !== undefined && other !== undefined ? Math.max(one, other) : (one ?? other)
}

/** The number of a signed token. Ours are random, so that their first digits will do; others are in no list. */
export function numberOf(jti: string): number {
  const number = Number.parseInt(jti.replaceAll('-', '').slice(0, 11), 16)
  return Number.isNaN(number) ? 0 : number
}
