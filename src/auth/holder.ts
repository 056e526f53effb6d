import { Failure } from '../protocol/failures.ts'
import type { Clock } from '../store/clock.ts'
import type { Step, Store } from '../store/store.ts'
import type { TokenCaller } from './caller.ts'
import { type TokenRecord, tokenKey, usesKey } from './records.ts'
import { endOfSecret, obstacle } from './standing.ts'
import { parseToken } from './token-steps.ts'
import type { Users } from './users.ts'

/** The token that makes a change: what it may hand on, and what the change rests on. */
export interface Holder {
  /** As it is now. It ends with the secret that was shown: one that is retired hands nothing on beyond its grace. */
  readonly record: TokenRecord
  /** The secret that was shown has a successor. */
  readonly retiring: boolean
  /** Uses that it has left; undefined: any number. */
  readonly remaining: number | undefined
  /** Conditions for the commit: it is still what it was. */
  readonly ground: readonly Step[]
  /** The version of the count of its uses. */
  readonly usesVersion: number
}

interface Parts {
  readonly store: Store
  readonly users: Users
  readonly clock: Clock
}

/** Throws `unauthenticated` where it has ended since the call was admitted: nothing is done in its name after that. */
export async function holderOf(caller: TokenCaller, { store, users, clock }: Parts): Promise<Holder> {
  const { live, token, user } = caller
  const isFixed = live.signed !== undefined || caller.fixed === true
  const entry = isFixed ? undefined : await store.get(tokenKey(token.id))
  const record = isFixed ? token : entry && parseToken(entry)
  if (record === undefined) throw ended()
  if (entry !== undefined && obstacle(record, live.hash, users.find(user.id), clock.now()) !== undefined)
    throw ended()
  const maxUses = record.limits?.maxUses
  const uses = maxUses === undefined ? undefined : await store.get(usesKey(record.id))
  const expires = endOfSecret(record, live.hash)
  return {
    record:
      expires === record.expires
        ? record
        : { ...record, expires, expiresAt: Math.floor((expires ?? 0) / 1000) - 1 },
    retiring: record.retiring?.hash === live.hash,
    remaining: maxUses === undefined ? undefined : maxUses - Number(uses?.value ?? 0),
    ground: entry === undefined ? [] : [{ key: entry.key, expect: entry.version }],
    usesVersion: uses?.version ?? 0,
  }
}

function ended(): Failure {
  return new Failure('unauthenticated', 'The token that makes this call has ended.')
}

/**
 * Uses that are handed on are taken from whoever hands them on: a token with three of them could otherwise make five
 * hundred with one each. Throws `forbidden`.
 */
export function charge({ record, remaining, usesVersion }: Holder, uses: number): Step[] {
  if (remaining === undefined || uses === 0) return []
  if (uses > remaining)
    throw new Failure('forbidden', `This token has ${remaining} uses left, and would hand on ${uses}.`)
  const used = (record.limits?.maxUses ?? 0) - remaining + uses
  return [{ key: usesKey(record.id), expect: usesVersion, write: String(used) }]
}

/** A change on the ground that its maker stands on; one key has one step. */
export function grounded(steps: readonly Step[], ground: readonly Step[]): Step[] {
  const keys = new Set(steps.map(({ key }) => key))
  return [...steps, ...ground.filter(({ key }) => !keys.has(key))]
}
