import { Failure } from '../protocol/failures.ts'
import type { Clock } from '../store/clock.ts'
import type { Step, Store } from '../store/store.ts'
import type { TokenCaller } from './caller.ts'
import { groundOf } from './ground.ts'
import { type LiveRecord, usesKey } from './records.ts'
import { endOfSecret, isRetiring } from './standing.ts'

/** The token that makes a change: what it may hand on, and what the change rests on. */
export interface Holder {
  /** As it is now. It ends with the secret that was shown: one that is retired hands nothing on beyond its grace. */
  readonly record: LiveRecord
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
  readonly clock: Clock
}

/** Throws as groundOf does. */
export async function holderOf(caller: TokenCaller, parts: Parts): Promise<Holder> {
  const { hash } = caller.live
  const { record, steps } = await groundOf(caller, parts)
  const maxUses = record.limits?.maxUses
  const uses = maxUses === undefined ? undefined : await parts.store.get(usesKey(record.id))
  const expires = endOfSecret(record, hash)
  return {
    record:
      expires === record.expires
        ? record
        : { ...record, expires, expiresAt: Math.floor((expires ?? 0) / 1000) - 1 },
    retiring: isRetiring(record, hash),
    remaining: maxUses === undefined ? undefined : maxUses - Number(uses?.value ?? 0),
    ground: steps,
    usesVersion: uses?.version ?? 0,
  }
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
