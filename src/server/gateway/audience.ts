import type { Outlet, TokenCaller } from '../../auth/caller.ts'
import { allows } from '../../auth/scopes.ts'

/** Messages that may wait for one client; who reads more slowly than that is let go. */
const MOST_UNSENT = 256
const MOST_UNSENT_CHARACTERS = 4 * 1024 * 1024

interface Listener {
  /** Those who have called over it, by the hashes of their tokens. */
  readonly callers: Map<string, TokenCaller>
  unsent: number
  /** Of them. */
  characters: number
}

/** Who has called an upstream over a connection that stays open: its notifications reach them, as far as they may see them. */
export class Audience {
  readonly #listeners = new Map<Outlet, Listener>()

  /** `tie`: how to hear of the end of the caller's token. */
  add(caller: TokenCaller, tie: (onEnd: () => void) => void): void {
    const { outlet } = caller
    const { hash } = caller.live
    if (outlet === undefined) return
    const { callers } = this.#listeners.get(outlet) ?? this.#open(outlet)
    if (callers.has(hash)) return
    callers.set(hash, caller)
    tie(() => callers.delete(hash))
  }

  #open(outlet: Outlet): Listener {
    const listener = { callers: new Map<string, TokenCaller>(), unsent: 0, characters: 0 }
    this.#listeners.set(outlet, listener)
    outlet.onClose(() => this.#listeners.delete(outlet))
    return listener
  }

  /** `method`: the name by which it is told. */
  tell(method: string, text: string): void {
    for (const [outlet, listener] of this.#listeners) {
      const mayHear = [...listener.callers.values()].some(({ token }) => allows(token.scopes, method))
      if (!mayHear) continue
      if (listener.unsent >= MOST_UNSENT || listener.characters >= MOST_UNSENT_CHARACTERS) {
        this.#listeners.delete(outlet)
        outlet.end('too slow')
        continue
      }
      listener.unsent++
      listener.characters += text.length
      void outlet.send(text).finally(() => {
        listener.unsent--
        listener.characters -= text.length
      })
    }
  }
}
