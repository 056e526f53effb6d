import { APPENDED, orderedNumber, prefixed, type Store } from '../store/store.ts'
import type { AuditEvent } from './ledger.ts'

/** A line of the audit log as it was committed. `at`: milliseconds since 1970. */
export type AuditLine = AuditEvent & { readonly seq: number; readonly at: number }

/** Reads what decisions have appended. */
export class AuditLog {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** The newest lines first; `before` a number pages on to older ones. */
  async read({ limit, before }: { limit: number; before?: number | undefined }): Promise<AuditLine[]> {
    const all = prefixed(APPENDED)
    const lt = before === undefined ? all.lt : APPENDED + orderedNumber(before)
    const entries = await this.#store.scan({ gte: all.gte, lt, limit, reverse: true })
    return entries.map(
      ({ key, value }) => ({ seq: Number(key.slice(APPENDED.length)), ...JSON.parse(value) }) as AuditLine,
    )
  }
}
