import { randomBytes } from 'node:crypto'
import { Admission } from '../../src/auth/admission.ts'
import type { Caller } from '../../src/auth/caller.ts'
import { LastAccess } from '../../src/auth/last-access.ts'
import { Ledger } from '../../src/auth/ledger.ts'
import { Pepper } from '../../src/auth/secret.ts'
import { Sweeper } from '../../src/auth/sweeper.ts'
import { Tokens } from '../../src/auth/tokens.ts'
import { Users } from '../../src/auth/users.ts'
import { Verifier } from '../../src/auth/verifier.ts'
import { Clock } from '../../src/store/clock.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { Commit, Store } from '../../src/store/store.ts'

export const LOCAL: Caller = {
  kind: 'local',
  peer: { door: 'unix', address: 'unix', uid: 0, gid: 0, groups: [], pid: 1 },
  grant: { rule: 'root', userid: undefined, maxTtl: undefined, scopes: ['*'] },
}

/** The token authority on a store and a clock of the test's own. */
export async function authority(store: Store = memoryStore()) {
  /** `now` passes on both of the machine's clocks; `leap` is how far the wall clock is off. */
  const time = { now: 1_800_000_000_000, leap: 0 }
  const source = { wall: () => time.now + time.leap, monotonic: () => time.now - 1_700_000_000_000 }
  const clock = new Clock(undefined, source, () => {})
  const ledger = new Ledger(store, clock)
  const users = await Users.open(store, ledger)
  const pepper = new Pepper(randomBytes(32))
  const lastAccess = new LastAccess(store, ledger, clock)
  const policy = () => ({ rate: undefined, flush: 5_000 })
  return {
    store,
    time,
    clock,
    ledger,
    pepper,
    users,
    tokens: new Tokens({ store, ledger, clock, users, pepper }),
    verifier: new Verifier({ store, pepper, clock, users, cacheSize: 100 }),
    lastAccess,
    admission: new Admission({ store, ledger, clock, lastAccess, users, policy }),
    sweeper: new Sweeper(store, ledger, clock),
  }
}

/** A store that counts, and whose reads take a turn, as those of a distributed one do. */
export function observed(inner: Store = memoryStore(), { slow = false } = {}) {
  const seen = { reads: 0, commits: [] as Commit[] }
  const store: Store = {
    get(key) {
      seen.reads++
      const entry = inner.get(key)
      return slow ? new Promise((resolve) => setImmediate(() => resolve(entry))) : entry
    },
    scan: (range) => inner.scan(range),
    commit(commit) {
      seen.commits.push(commit)
      return inner.commit(commit)
    },
    subscribe: (feed) => inner.subscribe(feed),
    refresh: () => inner.refresh(),
    snapshot: () => inner.snapshot(),
    queued: 0,
    get writable() {
      return inner.writable
    },
    close: () => inner.close(),
  }
  return { store, seen }
}

/** Every key of a store. */
export async function keys(store: Store): Promise<string[]> {
  return (await store.scan({ gte: ' ', lt: '~', limit: 1_000_000 })).map(({ key }) => key)
}
