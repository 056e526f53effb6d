import { readPage } from '../../auth/backups.ts'
import type { BackupBegun } from '../../methods/store.ts'
import { headOf } from '../../store/batch.ts'
import type { StateDirectory } from '../../store/directory.ts'
import { fingerprint } from '../../store/format.ts'
import { HEAD } from '../../store/store.ts'
import type { Call } from '../session.ts'
import type { KeptEntry } from './format.ts'

/** Everything that a backup keeps, of one moment. */
export interface Source {
  readonly commit: number
  /** Of the pepper that the hashes were made with. */
  readonly fingerprint: string
  readonly pages: AsyncIterable<readonly KeptEntry[]>
  /** Lets go of it, read to its end or not. */
  end(): Promise<unknown>
}

/** From a running daemon, page by page, while it goes on. */
export async function fromDaemon(call: Call): Promise<Source> {
  const { backup, commit, fingerprint } = (await call('backup.begin', {})) as BackupBegun
  async function* pages() {
    for (let from: string | null = ''; from !== null; ) {
      const page = (await call('backup.read', { backup, from })) as {
        entries: KeptEntry[]
        next: string | null
      }
      yield page.entries
      from = page.next
    }
  }
  const end = () => call('backup.end', { backup }).catch(() => {}) // it ends by itself as well
  return { commit, fingerprint, pages: pages(), end }
}

/** From the store of a stopped daemon. */
export async function fromStore({ store, pepper }: StateDirectory): Promise<Source> {
  const snapshot = store.snapshot()
  const { commit } = headOf(await snapshot.get(HEAD))
  async function* pages() {
    for (let from: string | null = ''; from !== null; ) {
      const page: Awaited<ReturnType<typeof readPage>> = await readPage(snapshot, from)
      yield page.entries
      from = page.next
    }
  }
  return { commit, fingerprint: fingerprint(pepper), pages: pages(), end: () => snapshot.close() }
}

/** Works with a source, and lets go of it whatever happens. */
export async function using<T>(source: Promise<Source>, work: (source: Source) => Promise<T>): Promise<T> {
  const opened = await source
  try {
    return await work(opened)
  } finally {
    await opened.end()
  }
}
