import type { Entry, Step } from '../store/store.ts'
import {
  endKey,
  expiryKey,
  idleKey,
  lastAccessKey,
  nameKey,
  ownerKey,
  secretKey,
  sweptFrom,
  type TokenRecord,
  tokenKey,
  toldKey,
  usesKey,
} from './records.ts'

/** What a change of a token's record writes: the record, its copies by secret, and every index. One commit, whole or not at all. */

export function parseToken(entry: Entry): TokenRecord {
  return JSON.parse(entry.value) as TokenRecord
}

/** Everything beside the record itself that has to be stored for it: key and value. */
export function derived(record: TokenRecord): ReadonlyMap<string, string> {
  const value = JSON.stringify(record)
  const entries = new Map(record.hashes.map((hash) => [secretKey(hash), value]))
  entries.set(ownerKey(record.user, record.id), '')
  if (record.revoked === null) entries.set(nameKey(record.user, record.name), record.id)
  for (const key of indexKeys(record)) entries.set(key, '')
  return entries
}

/** A new record. Its name is not among the steps: who takes a name knows what has to be there before. */
export function insertion(record: TokenRecord): Step[] {
  const value = JSON.stringify(record)
  const steps: Step[] = [
    { key: tokenKey(record.id), expect: 0, write: value },
    { key: ownerKey(record.user, record.id), write: '' },
  ]
  for (const hash of record.hashes) steps.push({ key: secretKey(hash), expect: 0, write: value })
  for (const key of indexKeys(record)) steps.push({ key, write: '' })
  return steps
}

/** A changed record in the place of the one that was read; refused if somebody was faster. Names are not among the steps. */
export function change(entry: Entry, after: TokenRecord): Step[] {
  const before = parseToken(entry)
  const value = JSON.stringify(after)
  const steps: Step[] = [{ key: entry.key, expect: entry.version, write: value }]
  for (const hash of before.hashes)
    if (!after.hashes.includes(hash)) steps.push({ key: secretKey(hash), write: null })
  for (const hash of after.hashes) steps.push({ key: secretKey(hash), write: value })
  const [old, now] = [indexKeys(before), indexKeys(after)]
  for (const key of old) if (!now.includes(key)) steps.push({ key, write: null })
  for (const key of now) if (!old.includes(key)) steps.push({ key, write: '' })
  return steps
}

/** Every trace of a record. A revoked token has given up its name, and another may have it by now. */
export function erasure(entry: Entry): Step[] {
  const record = parseToken(entry)
  const { id, user, name, hashes, revoked } = record
  const keys = [
    ownerKey(user, id),
    lastAccessKey(id),
    usesKey(id),
    toldKey(id),
    ...hashes.map(secretKey),
    ...indexKeys(record),
  ]
  if (revoked === null) keys.push(nameKey(user, name))
  return [
    { key: entry.key, expect: entry.version, write: null },
    ...keys.map((key) => ({ key, write: null })),
  ]
}

function indexKeys(record: TokenRecord): string[] {
  const end = sweptFrom(record)
  const keys = record.revoked === null ? [expiryKey(record.expiresAt, record.id)] : []
  if (record.revoked === null && record.limits?.idleTtl !== undefined) keys.push(idleKey(record.id))
  return end === null ? keys : [...keys, endKey(end, record.id)]
}
