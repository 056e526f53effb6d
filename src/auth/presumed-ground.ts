import type { Clock } from '../store/clock.ts'
import type { Step } from '../store/store.ts'
import type { TokenCaller } from './caller.ts'
import { groundOf } from './ground.ts'
import { tokenKey, type UserRecord, userKey } from './records.ts'
import { obstacle } from './standing.ts'

type Parts = Parameters<typeof groundOf>[1]

/**
 * The versions of owners' stored records on which callers were found to stand, by the record that the caller came with.
 * What was found of a version holds for good; whether it is still the present one is for the commit to say.
 */
const stoodOn = new WeakMap<UserRecord, number>()

/**
 * The ground of a change (see groundOf) that is made often, as conditions for its commit. The first attempt goes by what the
 * token was verified with, wherever that does, without a look at the store: if it is not true any more, the commit is
 * refused, and the next attempt looks. `attempt`: how many went before.
 */
export async function groundSteps(
  caller: TokenCaller,
  parts: Parts,
  attempt: number,
): Promise<readonly Step[]> {
  const presumed = attempt === 0 ? presumedSteps(caller, parts.clock) : undefined
  if (presumed !== undefined) return presumed
  const { steps } = await groundOf(caller, parts)
  const owner = steps.find(({ key }) => key === userKey(caller.user.id))
  if (owner?.expect !== undefined) stoodOn.set(caller.user, owner.expect)
  return steps
}

function presumedSteps({ live, user, fixed }: TokenCaller, clock: Clock): readonly Step[] | undefined {
  const version = stoodOn.get(user)
  if (version === undefined || live.signed !== undefined || live.stale || fixed === true) return undefined
  // What has ended by time alone has the same version as before.
  if (obstacle(live.record, live.hash, user, clock.now()) !== undefined) return undefined
  return [
    { key: tokenKey(live.record.id), expect: live.version },
    { key: userKey(user.id), expect: version },
  ]
}
