/** What can be kept: it notes itself whether it was asked for. */
export interface Keepable {
  /** Since it was last passed over. */
  used: boolean
}

/** Of so many in a row that were all used the last one goes nevertheless: who adds one does not wait longer. */
const PASSED_OVER = 8

/**
 * What was used recently, so many at most. Who is to go is looked for in the order in which they came, again and again;
 * what was used since the last time is passed over (the second chance of CLOCK). That keeps nearly what a list by
 * the last use would keep, and to ask for something writes nothing but its own mark: the lists of an LRU were four
 * cache misses for each call.
 */
export class Recent<V extends Keepable> {
  readonly #most: number
  readonly #onGone: (value: V) => void
  readonly #values = new Map<string, V>()
  /** Only while there is no room left: it would keep what the map has been before. */
  #hand: IterableIterator<[string, V]> | undefined

  /** `onGone`: told of whatever is kept no longer, for whatever reason. */
  constructor(most: number, onGone: (value: V) => void = () => {}) {
    this.#most = most
    this.#onGone = onGone
  }

  get(key: string): V | undefined {
    const value = this.#values.get(key)
    if (value !== undefined) value.used = true
    return value
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  set(key: string, value: V): void {
    this.delete(key)
    if (this.#values.size >= this.#most) this.#makeRoom()
    else this.#hand = undefined
    this.#values.set(key, value)
  }

  delete(key: string): void {
    const value = this.#values.get(key)
    if (value === undefined) return
    this.#values.delete(key)
    this.#onGone(value)
  }

  clear(): void {
    for (const key of this.#values.keys()) this.delete(key)
  }

  entries(): IterableIterator<[string, V]> {
    return this.#values.entries()
  }

  #makeRoom(): void {
    for (let passed = 0; ; passed++) {
      const [key, value] = this.#next()
      if (!value.used || passed === PASSED_OVER) {
        this.delete(key)
        return
      }
      value.used = false
    }
  }

  /** Round and round; there is always one. */
  #next(): [string, V] {
    const next = this.#hand?.next()
    if (next !== undefined && next.done !== true) return next.value
    this.#hand = this.#values.entries()
    return this.#hand.next().value as [string, V]
  }
}
