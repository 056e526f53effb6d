import type { TokenCaller } from './caller.ts'
import type { Live } from './live.ts'
import type { UserRecord } from './records.ts'

/** Words kept at a time; beyond that all are found anew, which costs each caller next to nothing, and so seldom. */
const MOST = 20_000

/** What is said of a caller: put into words once for as long as neither the token nor its user has changed. */
export class KeptWords<T> {
  #kept = new WeakMap<Live, { readonly user: UserRecord; readonly words: T }>()
  #count = 0
  readonly #word: (caller: TokenCaller) => T

  constructor(word: (caller: TokenCaller) => T) {
    this.#word = word
  }

  of(caller: TokenCaller): T {
    const { live, user } = caller
    if (!live.used) return this.#word(caller) // it was found just now, and may never be asked about again
    const known = this.#kept.get(live)
    if (known?.user === user) return known.words
    const words = this.#word(caller)
    if (++this.#count > MOST) {
      this.#kept = new WeakMap()
      this.#count = 1
    }
    this.#kept.set(live, { user, words })
    return words
  }
}
