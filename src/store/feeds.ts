import type { Commit, Feed } from './store.ts'

/** Those who follow a store's signals. */
export class Feeds implements Feed {
  readonly #feeds = new Set<Feed>()

  subscribe(feed: Feed): () => void {
    this.#feeds.add(feed)
    return () => this.#feeds.delete(feed)
  }

  /** What a commit has brought about, once it can be read. */
  deliver({ signals = [], append = [] }: Pick<Commit, 'signals' | 'append'>): void {
    for (const signal of signals) this.signal(signal)
    if (append.length > 0) this.appended()
  }

  signal(payload: string): void {
    for (const feed of this.#feeds) feed.signal(payload)
  }

  appended(): void {
    for (const feed of this.#feeds) feed.appended?.()
  }

  reset(): void {
    for (const feed of this.#feeds) feed.reset()
  }
}
