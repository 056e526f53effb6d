import { Failure } from '../protocol/failures.ts'
import type { Clock } from '../store/clock.ts'
import type { Entry, Step, Store } from '../store/store.ts'
import { RANK, type TokenCaller } from './caller.ts'
import { basisOf, type Configuration } from './jwt/configuration.ts'
import { parsePersonal } from './jwt/personal-record.ts'
import {
  configurationKey,
  type LiveRecord,
  personalKey,
  tokenKey,
  type UserRecord,
  userKey,
} from './records.ts'
import { contains } from './scopes.ts'
import { obstacle } from './standing.ts'
import { parseToken } from './token-steps.ts'

interface Parts {
  readonly store: Store
  readonly clock: Clock
}

/** What a change rests on: the token that makes it, and its user, as they are now. */
export interface Ground {
  readonly record: LiveRecord
  /** Conditions for the commit. */
  readonly steps: readonly Step[]
}

/**
 * The ground of a change, to be asked for in each attempt to commit it: from the moment on at which the end of a token, or of
 * some of its rights or its user's, is acknowledged, nothing is done in its name any more. Throws `unauthenticated`, `forbidden`.
 */
export async function groundOf(caller: TokenCaller, { store, clock }: Parts): Promise<Ground> {
  const { live, token, user } = caller
  // The rest of a Zabbix batch goes on as it was admitted.
  if (caller.fixed === true) return { record: token, steps: [] }
  const owner = await store.get(userKey(user.id))
  const now = owner && (JSON.parse(owner.value) as UserRecord)
  if (owner === undefined || now?.status !== 'enabled') throw ended()
  if (RANK[now.type] < RANK[user.type])
    throw new Failure('forbidden', 'Your user may do less than a moment ago.')
  if (live.signed !== undefined) return { record: token, steps: await signedSteps(caller, owner, store) }
  const entry = await store.get(tokenKey(token.id))
  const record = entry && parseToken(entry)
  if (entry === undefined || record === undefined) throw ended()
  if (obstacle(record, live.hash, now, clock.now()) !== undefined) throw ended()
  if (!contains(record.scopes, token.scopes))
    throw new Failure('forbidden', 'Your token may do less than a moment ago.')
  return { record, steps: [still(entry), still(owner)] }
}

/** A signed token rests on its configuration and, if it is a personal one, on its record, each as it was when it was verified. */
async function signedSteps({ live, user }: TokenCaller, owner: Entry, store: Store): Promise<Step[]> {
  const { configuration = '', jti, basis } = live.signed ?? {}
  const agreed = await store.get(configurationKey(configuration))
  if (agreed === undefined) throw ended()
  const now = JSON.parse(agreed.value) as Configuration
  if (now.enable !== '1' || basisOf(now) !== basis) throw ended()
  const personal = jti === undefined ? undefined : await store.get(personalKey(jti))
  if (personal === undefined) return [still(agreed), still(owner)]
  const { revoked_at, user: whose } = parsePersonal(personal)
  if (revoked_at !== null || whose !== user.id) throw ended()
  return [still(agreed), still(owner), still(personal)]
}

function still({ key, version }: Entry): Step {
  return { key, expect: version }
}

function ended(): Failure {
  return new Failure('unauthenticated', 'The token that makes this call has ended.')
}

/** A change on its ground; one key has one step. */
export function grounded(steps: readonly Step[], ground: readonly Step[]): Step[] {
  const keys = new Set(steps.map(({ key }) => key))
  return [...steps, ...ground.filter(({ key }) => !keys.has(key))]
}
