/** Hears the parameters of a notification. */
// biome-ignore lint/suspicious/noExplicitAny: what a notification says is for its listener to know
export type Listener = (params: any) => void

/** Who hears what. */
export class Listeners {
  readonly #byEvent = new Map<string, Set<Listener>>()

  /** Returns what takes it away again. */
  add(event: string, listener: Listener): () => void {
    const listeners = this.#byEvent.get(event) ?? new Set()
    this.#byEvent.set(event, listeners.add(listener))
    return () => listeners.delete(listener)
  }

  /** One after the other; what a listener throws is its program's, not the connection's. */
  tell(event: string, params?: unknown): void {
    for (const listener of this.#byEvent.get(event) ?? []) queueMicrotask(() => listener(params))
  }
}
