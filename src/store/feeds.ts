import type { Feed } from './store.ts'

/** Those who follow a store's signals. */
export class Feeds {
  readonly #feeds = new Set<Feed>()

  subscribe(feed: Feed): () => void {
    this.#feeds.add(feed)
    return () => this.#feeds.delete(feed)
  }

  deliver(signals: readonly string[] | undefined): void {
    if (signals === undefined) return
    for (const signal of signals) for (const feed of this.#feeds) feed.signal(signal)
  }

  reset(): void {
    for (const feed of this.#feeds) feed.reset()
  }
}
