import type { Maybe } from '../protocol/maybe.ts'
import type { Store } from '../store/store.ts'

/**
 * Ids that rise and are never given out twice, not even after a crash: they are reserved in durable blocks, and what is
 * left of a block when the process ends is skipped.
 */
export class Counter {
  readonly #store: Store
  readonly #key: string
  readonly #block: number
  readonly #first: number
  #next = 0
  #end = 0
  #reserving: Promise<void> | undefined

  constructor(store: Store, key: string, block: number, first = 1) {
    this.#store = store
    this.#key = key
    this.#block = block
    this.#first = first
  }

  next(): Maybe<string> {
    if (this.#next < this.#end) return String(this.#next++)
    this.#reserving ??= this.#reserve().finally(() => {
      this.#reserving = undefined
    })
    return this.#reserving.then(() => this.next())
  }

  async #reserve(): Promise<void> {
    for (;;) {
      const stored = await this.#store.get(this.#key)
      const first = stored === undefined ? this.#first : Number(stored.value)
      const step = { key: this.#key, expect: stored?.version ?? 0, write: String(first + this.#block) }
      if (!(await this.#store.commit({ steps: [step] }))) continue // another node reserved at the same time
      this.#next = first
      this.#end = first + this.#block
      return
    }
  }
}
