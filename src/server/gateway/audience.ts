import type { Outlet, TokenCaller } from '../../auth/caller.ts'
import { allows } from '../../auth/scopes.ts'

/** Messages that may wait for one client; who reads more slowly than that is let go. */
const MOST_UNSENT = 256

interface Listener {
  readonly caller: TokenCaller
  unsent: number
}

/** Who has called an upstream over a connection that stays open: its notifications reach them, as far as they may see them. */
export class Audience {
  readonly #listeners = new Map<Outlet, Listener>()

  /** `tie`: how to hear of the end of the caller's token. */
  add(caller: TokenCaller, tie: (onEnd: () => void) => void): void {
    const { outlet } = caller
    if (outlet === undefined || this.#listeners.has(outlet)) return
    this.#listeners.set(outlet, { caller, unsent: 0 })
    const remove = () => this.#listeners.delete(outlet)
    outlet.onClose(remove)
    tie(remove)
  }

  /** `method`: the name by which it is told. */
  tell(method: string, text: string): void {
    for (const [outlet, listener] of this.#listeners) {
      if (!allows(listener.caller.token.scopes, method)) continue
      if (listener.unsent >= MOST_UNSENT) {
        this.#listeners.delete(outlet)
        outlet.end('too slow')
        continue
      }
      listener.unsent++
      void outlet.send(text).finally(() => listener.unsent--)
    }
  }
}
