import { hash } from 'node:crypto'
import type { Ledger } from './auth/ledger.ts'
import type { Actor } from './auth/records.ts'
import type { Config } from './config.ts'
import type { Store } from './store/store.ts'

/** The digest of the configuration that was in force last, so that a change during a standstill is seen, too. */
const DIGEST = 'm/config'

/** A line in the audit log for a configuration that is not the last one's. Committed before it takes effect. */
export async function recordConfig(
  { store, ledger }: { store: Store; ledger: Ledger },
  config: Config,
  by: Actor,
  details: object = {},
): Promise<void> {
  const digest = hash('sha256', JSON.stringify(config), 'base64url')
  const stored = await store.get(DIGEST)
  if (stored?.value === digest && Object.keys(details).length === 0) return
  const steps = [{ key: DIGEST, write: digest }]
  const first = stored === undefined
  await ledger.commit({ steps, audit: first ? [] : [{ event: 'config.change', by, digest, ...details }] })
}
