import type { Entry, Store } from '../store/store.ts'
import { actorOf } from './actor.ts'
import type { TokenCaller } from './caller.ts'
import { type AuditEvent, type Decision, describeToken } from './ledger.ts'
import { type TokenRecord, tokenKey, tokenSignal } from './records.ts'
import { change, parseToken } from './token-steps.ts'
import { refusedObject } from './tokens.ts'

/** A token that a request names, as it is now. */
export interface Held {
  readonly entry: Entry
  readonly record: TokenRecord
}

/**
 * The tokens of a request, for a caller who may reach them: one's own, and everybody's for a superadmin. Unknown, revoked
 * and forbidden ones are refused alike, with `refused_object`.
 */
export async function hold(store: Store, ids: readonly string[], caller: TokenCaller): Promise<Held[]> {
  const held: Held[] = []
  for (const id of ids) {
    const entry = await store.get(tokenKey(id))
    const record = entry && parseToken(entry)
    const permitted = record?.user === caller.user.id || caller.user.type === 'superadmin'
    if (entry === undefined || record === undefined || record.revoked !== null || !permitted)
      throw refusedObject()
    held.push({ entry, record })
  }
  return held
}

/** What changes held tokens, as long as all of them are what they were; a line and a signal for each that becomes another. */
export function changeHeld(
  held: readonly Held[],
  caller: TokenCaller,
  event: AuditEvent['event'],
  update: (record: TokenRecord) => TokenRecord,
  details: (after: TokenRecord) => object = () => ({}),
): Required<Decision> {
  const changes = held.map(({ entry, record }) => ({ entry, record, after: update(record) }))
  const real = changes.filter(({ record, after }) => JSON.stringify(record) !== JSON.stringify(after))
  const unchanged = changes.filter((one) => !real.includes(one))
  return {
    steps: [
      ...real.flatMap(({ entry, after }) => change(entry, after)),
      ...unchanged.map(({ entry }) => ({ key: entry.key, expect: entry.version })),
    ],
    audit: real.map(({ after }) => describeToken(event, actorOf(caller), after, details(after))),
    signals: real.map(({ record }) => tokenSignal(record)),
  }
}
