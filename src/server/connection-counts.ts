import { hash, randomBytes } from 'node:crypto'

/** Cells of the table: in all, on Unix sockets, two rows of workers (what they have, what is on its way to them), two of places. */
const TOTAL = 0
const UNIX = 1
const WORKERS = 2
const MOST_WORKERS = 64
const COMING = WORKERS + MOST_WORKERS
const PLACES = COMING + MOST_WORKERS
const ROW = 32_768
const CELLS = PLACES + 2 * ROW

/** Of all connections, what the network may have: the Unix sockets keep a share that no stranger can take up. */
const NETWORK_SHARE = 0.9

/** So many connections more than another one has, and a worker hands the next one on. */
const UNEVEN = 2

/** What the threads of a process count their connections in, together. */
export interface CountsMemory {
  readonly cells: SharedArrayBuffer
  /** Nobody can choose an address that is counted in the place of another one's. */
  readonly key: string
}

export function countsMemory(): CountsMemory {
  const cells = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)
  return { cells, key: randomBytes(16).toString('hex') }
}

/** What a connection is counted under. */
export interface Counted {
  /** On a Unix socket, where no share is kept from anybody. */
  readonly unix: boolean
  /** Where it comes from; undefined: many are behind one address. */
  readonly place: string | undefined
}

export interface MostConnections {
  readonly connections: number
  readonly connections_per_address: number
}

/**
 * How many connections there are, in all and from one place. Places are counted in a table of fixed size, each in two cells:
 * it has as many as the lower one says, so that two would have to meet in both to be taken for one.
 */
export class ConnectionCounts {
  readonly #cells: Int32Array
  readonly #key: string
  readonly #worker: number

  /** `worker`: whose connections these are, from 0 on. */
  constructor({ cells, key }: CountsMemory = countsMemory(), worker = 0) {
    this.#cells = new Int32Array(cells)
    this.#key = key
    this.#worker = WORKERS + worker
  }

  get total(): number {
    return Atomics.load(this.#cells, TOTAL)
  }

  of(worker: number): number {
    return Atomics.load(this.#cells, WORKERS + worker)
  }

  /** Of so many workers, one that has clearly fewer connections than this one. */
  lighter(workers: number): number | undefined {
    const load = (worker: number) => this.of(worker) + Atomics.load(this.#cells, COMING + worker)
    const mine = this.#worker - WORKERS
    let least = mine
    for (let worker = 0; worker < workers; worker++) if (load(worker) < load(least)) least = worker
    return load(mine) - load(least) >= UNEVEN ? least : undefined
  }

  /** One is on its way to a worker, or (-1) is no more. */
  coming(worker: number, change: 1 | -1): void {
    Atomics.add(this.#cells, COMING + worker, change)
  }

  /** Counts one more, or says why there can be none: then it is not counted. */
  enter(counted: Counted, most: MostConnections): string | undefined {
    // Counted first and looked at then: of two that come at the same moment no more than one may be the last.
    const reached = this.#count(counted, 1)
    const reason = reasonToRefuse(counted, most, reached)
    if (reason !== undefined) this.leave(counted)
    return reason
  }

  leave(counted: Counted): void {
    this.#count(counted, -1)
  }

  #count({ unix, place }: Counted, change: 1 | -1): Reached {
    const add = (cell: number) => Atomics.add(this.#cells, cell, change) + change
    add(this.#worker)
    if (unix && place !== undefined) add(UNIX)
    const total = add(TOTAL)
    const overNetwork = total - Atomics.load(this.#cells, UNIX)
    if (unix || place === undefined) return { total, overNetwork, here: 0 } // no addresses, or many behind one
    const cells = this.#cellsOf(place)
    cells.forEach(add)
    // Read behind both: of two that came to the cells in different order each was the last one allowed in one of them.
    return { total, overNetwork, here: Math.min(...cells.map((cell) => Atomics.load(this.#cells, cell))) }
  }

  #cellsOf(place: string): [number, number] {
    const digits = hash('sha256', `${this.#key} ${place}`)
    const at = (from: number) => Number.parseInt(digits.slice(from, from + 8), 16) % ROW
    return [PLACES + at(0), PLACES + ROW + at(8)]
  }
}

interface Reached {
  readonly total: number
  readonly overNetwork: number
  readonly here: number
}

function reasonToRefuse(
  { unix }: Counted,
  { connections, connections_per_address }: MostConnections,
  { total, overNetwork, here }: Reached,
): string | undefined {
  if (total > connections) return 'Too many connections.'
  if (unix) return undefined
  if (overNetwork - 1 >= connections * NETWORK_SHARE) return 'Too many connections.'
  return here > connections_per_address ? 'Too many connections from your address.' : undefined
}
