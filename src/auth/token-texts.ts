import { after, type Maybe } from '../protocol/maybe.ts'
import type { Entry, Feed, Store } from '../store/store.ts'
import { type Keepable, Recent } from './recent.ts'
import { decodeSignal, type TokenRecord, tokenKey } from './records.ts'
import { parseToken } from './token-steps.ts'

/** A token as token.get tells it, but for its last access, which is told between the two halves. */
export interface TokenText extends Keepable {
  readonly record: TokenRecord
  readonly head: string
  readonly tail: string
}

/** Tokens kept in words. */
const MOST = 10_000

/** The words for tokens that are asked about by their id: they change when the record does, and follow the store's signals. */
export class TokenTexts implements Feed {
  readonly #store: Store
  readonly #word: (record: TokenRecord) => TokenText
  readonly #known = new Recent<TokenText>(MOST)

  constructor(store: Store, word: (record: TokenRecord) => TokenText) {
    this.#store = store
    this.#word = word
    store.subscribe(this)
  }

  /** Undefined: there is no such token. */
  find(id: string): Maybe<TokenText | undefined> {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const entry = this.#store.get(tokenKey(id))
    // A store that takes its time could be overtaken by a signal: what it gives is not kept.
    if (entry instanceof Promise) return after(entry, (found) => found && this.#word(parseToken(found)))
    return entry && this.#keep(id, entry)
  }

  #keep(id: string, entry: Entry): TokenText {
    const text = this.#word(parseToken(entry))
    this.#known.set(id, text)
    return text
  }

  signal(payload: string): void {
    const signal = decodeSignal(payload)
    if (signal.kind === 'token') this.#known.delete(signal.token)
    else if (signal.kind === 'user') this.#known.clear() // the creator is told only while there is one
  }

  reset(): void {
    this.#known.clear()
  }
}
