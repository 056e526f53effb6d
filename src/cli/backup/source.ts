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
}

/** From a running daemon, page by page, while it goes on. */
export async function fromDaemon(call: Call): Promise<Source> {
  const { backup, commit, fingerprint } = (await call('backup.begin', {})) as BackupBegun
  async function* pages() {
    try {
      for (let from: string | null = ''; from !== null; ) {
        const page = (await call('backup.read', { backup, from })) as {
          entries: KeptEntry[]
          next: string | null
        }
        yield page.entries
        from = page.next
      }
    } finally {
      await call('backup.end', { backup }).catch(() => {}) // it ends by itself as well
    }
  }
  return { commit, fingerprint, pages: pages() }
}

/** From the store of a stopped daemon. */
export async function fromStore({ store, pepper }: StateDirectory): Promise<Source> {
  const snapshot = store.snapshot()
  const { commit } = headOf(await snapshot.get(HEAD))
  async function* pages() {
    try {
      for (let from: string | null = ''; from !== null; ) {
        const page: Awaited<ReturnType<typeof readPage>> = await readPage(snapshot, from)
        yield page.entries
        from = page.next
      }
    } finally {
      await snapshot.close()
    }
  }
  return { commit, fingerprint: fingerprint(pepper), pages: pages() }
}
